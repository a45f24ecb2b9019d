import { AppError, type ErrorKind } from '../kernel/errors.ts';

/** One broken rule of the input: the member's path (`context.purpose`), the rule's name, a sentence. Never the value. */
export type MemberProblem = { member: string; rule: string; detail: string };

/** A failure that HTTP itself wants said in headers. */
export class HttpError extends AppError {
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, kind: ErrorKind, message: string, headers: Readonly<Record<string, string>>) {
    super(code, kind, message);
    this.headers = headers;
  }
}

/** The input breaks its schema. The message names the first members, `errors` all of them. */
export class InputInvalid extends AppError {
  readonly errors: readonly MemberProblem[];

  constructor(errors: readonly MemberProblem[]) {
    const details = errors.slice(0, 5).map((one) => one.detail);
    super('http.input-invalid', 'invalid', details.join('; '), { member: errors[0]?.member });
    this.errors = errors;
  }
}

export class BodyTooLarge extends AppError {
  constructor(limitBytes: number) {
    super('http.body-too-large', 'too-large', `the body must have at most ${limitBytes} bytes`, { member: 'body' });
  }
}

export class ContentTypeUnsupported extends AppError {
  constructor(expected: string) {
    super('http.content-type', 'invalid', `the body must be sent with Content-Type: ${expected}`, {
      member: 'Content-Type',
    });
  }
}

/** Says where, never what: the place where JSON broke may lie in the middle of a name. */
export class JsonMalformed extends AppError {
  constructor(position: { offset: number; line: number; column: number }) {
    const { offset, line, column } = position;
    super('http.json-malformed', 'invalid', `body is not JSON at line ${line}, column ${column} (offset ${offset})`, {
      member: 'body',
    });
  }
}

/** Without a URL there is nothing to route by. */
export class RequestUnreadable extends AppError {
  constructor() {
    super('http.request-unreadable', 'invalid', 'path and Host of the request make no URL', { member: 'path' });
  }
}

/** JSON that is valid and yet means different things to different readers, or kills one of them. */
export class JsonUnsafe extends AppError {
  constructor(rule: string) {
    super('http.json-unsafe', 'invalid', `body ${rule}`, { member: 'body' });
  }
}

/** The handler is still at work; whether it acted can be learned by repeating the call under the same Idempotency-Key. */
export class RequestTimedOut extends AppError {
  constructor() {
    super('http.timed-out', 'unavailable', 'the request was not answered in time', { retryAfterSeconds: 1 });
  }
}

export class Draining extends HttpError {
  constructor() {
    super('http.draining', 'unavailable', 'this instance is about to stop; another one answers', {
      Connection: 'close',
      'Retry-After': '1',
    });
  }
}
