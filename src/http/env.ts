import type { Context } from 'hono';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Scope } from './scopes.ts';

/** Who asks: what a verified access token says (RFC 9068). Never what a person consented to. */
export type Caller = {
  /** The system as which the client acts (`sub`). */
  readonly system: string;
  readonly clientId: string;
  readonly scopes: readonly Scope[];
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
};

/** An `Idempotency-Key` as it may be stored: neither the key nor the request can be read from it. */
export type Idempotency = { readonly hash: Buffer; readonly fingerprint: Buffer };

/** What the routes find in `c.get(…)`. (`c.var` builds an object of everything at each access.) */
export type HttpEnv = {
  /** Node's own objects, when there is a server. */
  Bindings: { incoming?: IncomingMessage; outgoing?: ServerResponse };
  Variables: {
    /** Names the request in the log. */
    requestId: string;
    /** The caller's own name for it, where it is not one to be logged. */
    echoedRequestId: string | undefined;
    /** On secured routes. */
    caller: Caller;
    /** On routes that take an `Idempotency-Key`, when the request has one. */
    idempotency: Idempotency | undefined;
    /** The answer that already has its headers. */
    answered: Response;
  };
};

export type HttpContext = Context<HttpEnv>;
