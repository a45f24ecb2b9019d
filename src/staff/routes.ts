import { createRoute } from '@hono/zod-openapi';
import { createRouter, problems, respond, type Router } from '../http/index.ts';
import { answer } from '../http/answer.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../kernel/database/client.ts';
import { createCookie, sessionCookie } from './cookies.ts';
import { RoleMissing, SignInNotConfigured } from './errors.ts';
import { assertSameOrigin, type RequireStaff } from './guard.ts';
import { staffRoles } from './roles.ts';
import { signInQuerySchema, staffSchema } from './schema.ts';
import { endSession, openSession, sessionLifetime } from './session.ts';
import { signInSeconds, type SignIn } from './sign-in.ts';

const signInRoute = createRoute({
  method: 'get',
  path: '/staff/sign-in',
  operationId: 'beginStaffSignIn',
  summary: 'Sign in as a colleague',
  description: "Sends the browser to the controller's OpenID provider.",
  tags: ['Staff'],
  security: [],
  request: { query: signInQuerySchema },
  responses: { 302: { description: 'To the provider' }, ...problems(404) },
});

const callbackRoute = createRoute({
  method: 'get',
  path: '/staff/callback',
  operationId: 'completeStaffSignIn',
  summary: 'Where the OpenID provider sends the browser back to',
  description: 'Opens a session of eight hours and goes on to where the sign-in was begun.',
  tags: ['Staff'],
  security: [],
  responses: { 302: { description: 'Signed in' }, ...problems(400, 403, 404) },
});

const signOutRoute = createRoute({
  method: 'post',
  path: '/staff/sign-out',
  operationId: 'staffSignOut',
  summary: 'End the session',
  tags: ['Staff'],
  security: [{ staffSession: [] }],
  responses: { 204: { description: 'There is none any more' }, ...problems(403) },
});

const meRoute = createRoute({
  method: 'get',
  path: '/staff/me',
  operationId: 'readStaff',
  summary: 'Who is signed in',
  tags: ['Staff'],
  security: [{ staffSession: [] }],
  responses: {
    200: { description: 'A colleague', content: { 'application/json': { schema: staffSchema } } },
    ...problems(401, 403),
  },
});

/** `/staff`: sign-in and sign-out of colleagues. Without a provider (`signIn` undefined) nobody can sign in. */
export const staffRoutes = (deps: {
  database: Database;
  clock: Clock;
  baseUrl: string;
  signIn: SignIn | undefined;
  requireStaff: RequireStaff;
}): Router => {
  const { database, clock, baseUrl } = deps;
  const session = sessionCookie(baseUrl);
  const underWay = createCookie(baseUrl, 'sign-in');
  const signIn = (): SignIn => {
    if (!deps.signIn) throw new SignInNotConfigured();
    return deps.signIn;
  };

  return createRouter({})
    .openapi(signInRoute, async (c) => {
      const { location, kept } = await signIn().begin(c.req.valid('query').to);
      return answer(c, 302, null, 'text/plain', {
        Location: location,
        'Set-Cookie': underWay.write(kept, signInSeconds),
      });
    })
    .openapi(callbackRoute, async (c) => {
      const { person, roles, to } = await signIn().complete(new URL(c.req.url).search, underWay.read(c));
      if (roles.length === 0) throw new RoleMissing(staffRoles);
      const { secret } = await openSession(database, { person, roles, now: clock.now(), previous: session.read(c) });
      // Appended to our own address, so that it leads nowhere else whatever it says.
      const headers = new Headers({ Location: baseUrl + to });
      headers.append('Set-Cookie', session.write(secret, sessionLifetime.total('seconds')));
      headers.append('Set-Cookie', underWay.write('', 0));
      return new Response(null, { status: 302, headers });
    })
    .openapi(signOutRoute, async (c) => {
      assertSameOrigin(c, baseUrl);
      const secret = session.read(c);
      if (secret !== undefined) await endSession(database, secret, clock.now());
      return answer(c, 204, null, 'text/plain', { 'Set-Cookie': session.write('', 0) });
    })
    .openapi(meRoute, async (c) => respond(c, staffSchema, await deps.requireStaff(c, staffRoles)));
};
