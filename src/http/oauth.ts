import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { AppError } from '../kernel/errors.ts';
import { answer } from './answer.ts';
import type { HttpContext } from './env.ts';
import { readText } from './json-body.ts';
import { createRouter, type Router } from './router.ts';
import { isScope, type Scope } from './scopes.ts';
import { tokenLifetimeSeconds, type TokenIssuer } from './tokens.ts';

/** Answers who the client is, or undefined when the secret is not its own, or it was revoked or never existed. */
export type VerifyClient = (
  clientId: string,
  secret: string,
) => Promise<{ system: string; scopes: readonly Scope[] } | undefined>;

type TokenErrorCode = 'invalid_request' | 'invalid_client' | 'invalid_scope' | 'unsupported_grant_type';

/** RFC 6749 section 5.2. Its answer is not a problem document: OAuth clients look for `error`. */
class TokenRequestRefused extends Error {
  readonly code: TokenErrorCode;

  constructor(code: TokenErrorCode, description: string) {
    super(description);
    this.code = code;
  }
}

const refusedTokenRequest = (error: unknown): TokenRequestRefused | undefined => {
  if (error instanceof TokenRequestRefused) return error;
  const unreadable = error instanceof AppError && (error.kind === 'invalid' || error.kind === 'too-large');
  return unreadable ? new TokenRequestRefused('invalid_request', error.message) : undefined;
};

const requestSchema = z
  .object({
    grant_type: z.literal('client_credentials'),
    scope: z.string().optional().meta({ description: 'Space-separated; without it all scopes of the client.' }),
    client_id: z.string().optional().meta({ description: 'Instead of HTTP Basic.' }),
    client_secret: z.string().optional().meta({ description: 'Instead of HTTP Basic.' }),
  })
  .meta({ id: 'TokenRequest' });

const responseSchema = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int().meta({ description: 'Seconds.' }),
    scope: z.string(),
  })
  .meta({ id: 'TokenResponse' });

const errorSchema = z
  .object({ error: z.string(), error_description: z.string() })
  .meta({ id: 'TokenError', description: 'RFC 6749 section 5.2' });

const refusal = (description: string) => ({ description, content: { 'application/json': { schema: errorSchema } } });

const tokenRoute = createRoute({
  method: 'post',
  path: '/oauth/token',
  operationId: 'issueToken',
  summary: 'Get an access token',
  description:
    'Client credentials (RFC 6749 section 4.4). The client authenticates with HTTP Basic, or with client_id and client_secret in the body.',
  tags: ['Access'],
  security: [{ client: [] }],
  request: {
    body: {
      required: true,
      content: {
        'application/x-www-form-urlencoded': {
          schema: requestSchema,
          example: { grant_type: 'client_credentials', scope: 'decisions:evaluate' },
        },
      },
    },
  },
  responses: {
    200: { description: 'A token', content: { 'application/json': { schema: responseSchema } } },
    400: refusal('The request cannot be granted'),
    401: refusal('The client is not who it says'),
  },
});

/** Undoes `application/x-www-form-urlencoded`, which RFC 6749 section 2.3.1 asks for inside HTTP Basic too. */
const formDecode = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new TokenRequestRefused('invalid_client', 'the credentials are not form-encoded');
  }
};

const basicCredentials = (header: string): { clientId: string; secret: string } => {
  const decoded = Buffer.from(header.slice(6), 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon < 0) throw new TokenRequestRefused('invalid_client', 'HTTP Basic needs a client id and a secret');
  return { clientId: formDecode(decoded.slice(0, colon)), secret: formDecode(decoded.slice(colon + 1)) };
};

/** RFC 6749 section 2.3: exactly one method of authentication a request. */
const credentials = (authorization: string | undefined, form: URLSearchParams) => {
  const basic = authorization?.slice(0, 6).toLowerCase() === 'basic ' ? authorization : undefined;
  const clientId = form.get('client_id');
  const secret = form.get('client_secret');
  if (basic !== undefined) {
    if (secret !== null)
      throw new TokenRequestRefused('invalid_request', 'authenticate in the header or the body, not both');
    const given = basicCredentials(basic);
    if (clientId !== null && clientId !== given.clientId) {
      throw new TokenRequestRefused('invalid_request', 'client_id names another client than the header');
    }
    return given;
  }
  if (clientId === null || secret === null)
    throw new TokenRequestRefused('invalid_client', 'client authentication is required');
  return { clientId, secret };
};

/** RFC 6749 section 3.1: a parameter comes at most once, an empty one counts as left out, unknown ones are ignored. */
const readForm = (text: string): URLSearchParams => {
  const form = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) throw new TokenRequestRefused('invalid_request', 'a parameter is repeated');
    if (value !== '') form.set(name, value);
  }
  return form;
};

const grantedScopes = (asked: string | null, allowed: readonly Scope[]): readonly Scope[] => {
  if (asked === null) return allowed;
  const scopes = [...new Set(asked.split(' '))];
  const granted = scopes.filter((scope) => isScope(scope) && allowed.includes(scope)) as Scope[];
  // Refused rather than silently narrowed: a component would learn it only at its first call.
  if (granted.length < scopes.length)
    throw new TokenRequestRefused('invalid_scope', 'a scope is unknown or not granted');
  return granted;
};

/**
 * `POST /oauth/token`. `limit` takes one token of the client's rate; only a client that has authenticated is counted,
 * else anybody could use up another's rate, and guessing 256 random bits needs no limit to be hopeless.
 */
export const tokenRoutes = ({
  verifyClient,
  issue,
  limit,
}: {
  verifyClient: VerifyClient;
  issue(...client: Parameters<TokenIssuer>): Promise<string>;
  limit: (clientId: string) => Promise<void> | undefined;
}): Router => {
  const grant = async (c: HttpContext) => {
    const form = readForm(await readText(c, 'application/x-www-form-urlencoded', 8 * 1024));
    const { clientId, secret } = credentials(c.req.header('authorization'), form);
    const client = await verifyClient(clientId, secret);
    if (client === undefined) throw new TokenRequestRefused('invalid_client', 'the client or its secret is wrong');
    await limit(clientId);
    const grantType = form.get('grant_type');
    if (grantType === null) throw new TokenRequestRefused('invalid_request', 'grant_type is required');
    if (grantType !== 'client_credentials') {
      throw new TokenRequestRefused('unsupported_grant_type', 'only client_credentials is supported');
    }
    const scopes = grantedScopes(form.get('scope'), client.scopes);
    return {
      access_token: await issue({ clientId, system: client.system, scopes }),
      token_type: 'Bearer',
      expires_in: tokenLifetimeSeconds,
      scope: scopes.join(' '),
    };
  };

  const json = (c: HttpContext, status: number, body: object, headers?: Record<string, string>): Response =>
    // `Cache-Control: no-store` is on every answer already.
    answer(c, status, JSON.stringify(body), 'application/json', { Pragma: 'no-cache', ...headers });

  return createRouter({}).openapi(
    tokenRoute,
    async (c) => {
      try {
        return json(c, 200, await grant(c));
      } catch (error) {
        const refused = refusedTokenRequest(error);
        if (refused === undefined) throw error;
        const body = { error: refused.code, error_description: refused.message };
        if (refused.code !== 'invalid_client') return json(c, 400, body);
        return json(c, 401, body, { 'WWW-Authenticate': 'Basic realm="askfirst", charset="UTF-8"' });
      }
    },
    { handlerReadsBody: true },
  );
};
