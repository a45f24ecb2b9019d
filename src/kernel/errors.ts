/** What went wrong, in the words of the domain; `http/` alone knows which status that becomes. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'unprocessable'
  | 'too-large'
  | 'too-many'
  | 'unavailable';

/**
 * The one base class of every failure a caller may see: a stable dotted `code` (`consent.purpose-unknown`), a `kind`,
 * a message without personal data, and where it helps the `member` of the input that broke the rule.
 */
export class AppError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly member: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: string,
    kind: ErrorKind,
    message: string,
    details: { member?: string | undefined; retryAfterSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.kind = kind;
    this.member = details.member;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}
