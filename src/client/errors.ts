/**
 * What this client throws. `code` is stable and dotted: the service's own (`linkage.lease-expired`) or one of this client
 * (`askfirst.timeout`). Messages hold codes, statuses and names of members, never an identifier or a secret.
 */
export class AskfirstError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** No usable answer: timed out, not connected, 429 or 5xx, malformed. What was asked may have been done; ask again. */
export class AskfirstUnreachable extends AskfirstError {}

/** The service answered no: the same call again gets the same answer. `status` is that of HTTP; absent where none was sent. */
export class AskfirstRefused extends AskfirstError {
  readonly status: number | undefined;

  constructor(code: string, message: string, status?: number) {
    super(code, message);
    this.status = status;
  }
}
