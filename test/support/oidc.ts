import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import Provider, { type ClientMetadata, type Configuration } from 'oidc-provider';

/** Somebody who signs in at the provider, with the claims that it makes of them. */
export type Person = { sub: string } & Record<string, unknown>;

export type OidcProvider = {
  issuer: string;
  /** Requests that came, by path: how often keys and addresses were fetched. */
  asked: Map<string, number>;
  /** Who signs in at the next interaction; undefined: who comes says no. */
  person: Person | undefined;
  /** What it publishes in place of its keys, to be somebody who signs with others. */
  publishes: { keys: JWK[] } | undefined;
  /** (Re)starts it with these clients and settings, under the same keys. It answers nothing before. */
  serve(clients: readonly ClientMetadata[], settings?: Configuration): void;
  /** A new signing key takes the place of the old one, which is published no more. Answers its kid. */
  rotate(): Promise<string>;
  /** An access token by client credentials for `resource`; throws what the provider says else. */
  accessToken(client: { id: string; secret: string }, resource: string, scope?: string): Promise<string>;
  /** Signs whatever it is told to, as somebody would who holds the provider's key. */
  forge(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** Breaks every connection at once, until `comeBack`. */
  goDown(): void;
  comeBack(): void;
  close(): Promise<void>;
};

const newKey = async (kid: string): Promise<JWK> => ({
  ...(await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)),
  kid,
  alg: 'ES256',
  use: 'sig',
});

/** Its advice for production (the runtime, where it keeps its state) is no news in a test. */
const quietly = <T>(make: () => T): T => {
  const { warn } = console;
  console.warn = () => {};
  try {
    return make();
  } finally {
    console.warn = warn;
  }
};

/**
 * A real OpenID provider (oidc-provider) on loopback http. Its interactions sign `person` in at once, without a page. It lives for as long
 * as its test file; `serve` comes after `start`, since clients' addresses are often known only when they were told the issuer.
 */
export const startOidcProvider = async (): Promise<OidcProvider> => {
  const asked = new Map<string, number>();
  let handler: ((request: IncomingMessage, response: ServerResponse) => unknown) | undefined;
  let down = false;
  const server = createServer((request, response) => {
    const path = request.url!.split('?', 1)[0]!;
    asked.set(path, (asked.get(path) ?? 0) + 1);
    if (down || !handler) return request.socket.destroy();
    if (path === '/jwks' && self.publishes)
      return response.setHeader('content-type', 'application/json').end(JSON.stringify(self.publishes));
    return handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let key = await newKey('key-1');
  let made = 1;
  let served: [readonly ClientMetadata[], Configuration] = [[], {}];

  const start = (): void => {
    const [clients, settings] = served;
    const provider = quietly(
      () =>
        new Provider(issuer, {
          clients: [...clients],
          jwks: { keys: [key as never] },
          cookies: { keys: [randomBytes(16).toString('hex')] },
          ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 300, IdToken: 300, ClientCredentials: 300 },
          findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...self.person, sub }) }),
          interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
          // In the ID token too, as most providers in use put them.
          conformIdTokenClaims: false,
          claims: { openid: ['sub', 'roles', 'realm_access'], groups: ['groups'] },
          features: {
            devInteractions: { enabled: false },
            clientCredentials: { enabled: true },
            resourceIndicators: {
              enabled: true,
              getResourceServerInfo: (_, resource, client) => ({
                scope: client.scope ?? '',
                audience: resource,
                accessTokenFormat: 'jwt',
                accessTokenTTL: 300,
                jwt: { sign: { alg: 'ES256' } },
              }),
            },
          },
          ...settings,
        }),
    );
    const answer = provider.callback();
    const interact = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
      if (!self.person) {
        return provider.interactionFinished(request, response, { error: 'access_denied' });
      }
      if (prompt.name === 'login')
        return provider.interactionFinished(request, response, { login: { accountId: self.person.sub } });
      const grant = grantId
        ? (await provider.Grant.find(grantId))!
        : new provider.Grant({ accountId: session!.accountId, clientId: params['client_id'] as string });
      grant.addOIDCScope(params['scope'] as string);
      return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
    };
    handler = (request, response) =>
      request.url!.startsWith('/interaction/') ? interact(request, response) : answer(request, response);
  };

  const self: OidcProvider = {
    issuer,
    asked,
    person: undefined,
    publishes: undefined,
    serve: (clients, settings = {}) => {
      served = [clients, settings];
      start();
    },
    rotate: async () => {
      key = await newKey(`key-${++made}`);
      start();
      return key.kid!;
    },
    accessToken: async ({ id, secret }, resource, scope) => {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          resource,
          ...(scope === undefined ? {} : { scope }),
        }),
      });
      const body = (await response.json()) as { access_token: string };
      if (!response.ok) throw new Error(JSON.stringify(body));
      return body.access_token;
    },
    forge: async (claims, header = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.kid!, ...header })
        .sign(await importJWK(key, 'ES256')),
    goDown: () => {
      down = true;
      server.closeAllConnections();
    },
    comeBack: () => void (down = false),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
};

export type Browser = {
  cookies: { name: string; value: string; path: string; attributes: string }[];
  /** One request, no redirect followed. */
  visit(url: string, init?: RequestInit): Promise<Response>;
  /** Follows redirects from `url` until one leads to `stopAt` (a beginning of addresses), or to none; answers the addresses. */
  follow(url: string, stopAt?: string): Promise<{ last: Response; url: string; way: string[] }>;
};

/** A browser as far as sign-in needs one: it keeps cookies by name and path (RFC 6265; ports do not part them) and follows redirects. */
export const createBrowser = (): Browser => {
  const browser: Browser = {
    cookies: [],
    visit: async (url, init = {}) => {
      const { pathname } = new URL(url);
      const sent = browser.cookies.filter(({ path }) => pathname.startsWith(path));
      const headers = new Headers(init.headers);
      if (sent.length > 0) headers.set('cookie', sent.map(({ name, value }) => `${name}=${value}`).join('; '));
      const response = await fetch(url, { ...init, headers, redirect: 'manual' });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(line)!;
        const path = /; path=([^;]+)/i.exec(attributes!)?.[1] ?? '/';
        browser.cookies = browser.cookies.filter((one) => one.name !== name || one.path !== path);
        if (value !== '') browser.cookies.push({ name: name!, value: value!, path, attributes: attributes! });
      }
      return response;
    },
    follow: async (url, stopAt) => {
      const way = [url];
      for (;;) {
        const last = await browser.visit(way.at(-1)!);
        const location = last.headers.get('location');
        if (location === null) return { last, url: way.at(-1)!, way };
        const next = new URL(location, way.at(-1)).href;
        if (stopAt !== undefined && next.startsWith(stopAt)) return { last, url: next, way };
        if (way.length > 12) throw new Error('redirects go in circles');
        way.push(next);
      }
    },
  };
  return browser;
};
