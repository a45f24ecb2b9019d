import { createRoute } from '@hono/zod-openapi';
import {
  idempotencyHeaders,
  problems,
  respond,
  createRouter,
  type Guards,
  type ReplayOrRun,
  type Router,
} from '../http/index.ts';
import { liesAhead } from '../kernel/clock.ts';
import type { Catalogue } from '../policies/index.ts';
import { refer, type SubjectDeps } from './deps.ts';
import { ObservedInFuture, SubjectNotFound } from './errors.ts';
import { openChallenge, readChallenge, reportCodeSeen } from './prove-control.ts';
import { registerSubject } from './register-subject.ts';
import {
  challengeRequestSchema,
  challengeSchema,
  codeSeenSchema,
  controlProvedSchema,
  foundSchema,
  lookUpSchema,
  registeredSchema,
  registrationSchema,
  subjectPathSchema,
} from './schema.ts';

const json = <S>(schema: S) => ({ 'application/json': { schema } });

const registerRoute = createRoute({
  method: 'post',
  path: '/v1/subjects',
  operationId: 'registerSubject',
  summary: 'Find or create the subject of these identifiers',
  description:
    'Identifiers that are new are added to the subject. Identifiers of two subjects are refused: registering never merges people.',
  tags: ['Subjects'],
  security: [{ oauth2: ['subjects:write'] }],
  request: { headers: idempotencyHeaders, body: { required: true, content: json(registrationSchema) } },
  responses: {
    200: { description: 'Known already', content: json(registeredSchema) },
    201: { description: 'Created', content: json(registeredSchema) },
    ...problems(409),
  },
});

const lookUpRoute = createRoute({
  method: 'post',
  path: '/v1/subjects/lookup',
  operationId: 'lookUpSubject',
  summary: 'Which subject has this identifier?',
  description:
    'Only for identifiers of the namespaces that the policy set gives to the system; others are refused before anything is looked up.',
  tags: ['Subjects'],
  security: [{ oauth2: ['subjects:read'] }],
  request: { body: { required: true, content: json(lookUpSchema) } },
  responses: { 200: { description: 'Found', content: json(foundSchema) }, ...problems(404) },
});

const addRoute = createRoute({
  method: 'post',
  path: '/v1/subjects/{subjectId}/identifiers',
  operationId: 'addIdentifiers',
  summary: 'Add identifiers to a subject',
  tags: ['Subjects'],
  security: [{ oauth2: ['subjects:write'] }],
  request: {
    params: subjectPathSchema,
    headers: idempotencyHeaders,
    body: { required: true, content: json(registrationSchema) },
  },
  responses: { 200: { description: 'Added', content: json(registeredSchema) }, ...problems(404, 409) },
});

const challengeRoute = createRoute({
  method: 'post',
  path: '/v1/challenges',
  operationId: 'openChallenge',
  summary: 'Let a customer prove control of a social account',
  description:
    'Answers a code. The person shows it from the account; whichever system sees it there reports it (seen).',
  tags: ['Subjects'],
  security: [{ oauth2: ['subjects:write'] }],
  request: { headers: idempotencyHeaders, body: { required: true, content: json(challengeRequestSchema) } },
  responses: { 201: { description: 'Opened', content: json(challengeSchema) }, ...problems(404, 422) },
});

const seenRoute = createRoute({
  method: 'post',
  path: '/v1/challenges/seen',
  operationId: 'reportCodeSeen',
  summary: 'Report that a code was seen on an account',
  tags: ['Subjects'],
  security: [{ oauth2: ['subjects:write'] }],
  request: { body: { required: true, content: json(codeSeenSchema) } },
  responses: { 200: { description: 'Control is proved', content: json(controlProvedSchema) }, ...problems(409, 422) },
});

type RouteDeps = SubjectDeps & { catalogue(): Promise<Catalogue>; replayOrRun: ReplayOrRun };

/** `/v1/subjects` and `/v1/challenges`. */
export const subjectRoutes = (guards: Guards, deps: RouteDeps): Router => {
  type Registration = (typeof registrationSchema)['_output'];
  const assertObserved = (observedAt: string | undefined, member: string): void => {
    if (observedAt !== undefined && liesAhead(Temporal.Instant.from(observedAt), deps.clock.now()))
      throw new ObservedInFuture(member);
  };
  const references = (catalogue: Catalogue, system: string, { identifiers }: Registration) =>
    identifiers.map(({ identifier, shared, observedAt }, index) => {
      const reference = refer(deps, catalogue, system, identifier, `identifiers.${index}.identifier`);
      assertObserved(observedAt, `identifiers.${index}.observedAt`);
      return { ...reference, shared, observedAt };
    });

  return createRouter(guards)
    .openapi(registerRoute, (c) =>
      deps.replayOrRun(c, {
        run: async (idempotency) => {
          const caller = c.get('caller');
          const registered = await registerSubject(deps, caller, {
            references: references(await deps.catalogue(), caller.system, c.req.valid('json')),
            idempotency: idempotency && { ...idempotency, resourceId: deps.ids.uuid() },
          });
          return respond(c, registeredSchema, registered, registered.created ? 201 : 200);
        },
        reload: async ({ subjectId, resourceId }) => {
          const created = resourceId === subjectId;
          return respond(c, registeredSchema, { subjectId, created }, created ? 201 : 200);
        },
      }),
    )
    .openapi(lookUpRoute, async (c) => {
      const reference = refer(
        deps,
        await deps.catalogue(),
        c.get('caller').system,
        c.req.valid('json').identifier,
        'identifier',
      );
      const state = await deps.reader.stateOf(reference.blindIndex);
      if (!state) throw new SubjectNotFound('identifier');
      return respond(c, foundSchema, { subjectId: state.subjectId });
    })
    .openapi(addRoute, (c) =>
      deps.replayOrRun(c, {
        run: async (idempotency) => {
          const caller = c.get('caller');
          const { subjectId } = c.req.valid('param');
          if ((await deps.reader.state(subjectId)).version === 0) throw new SubjectNotFound('subjectId');
          const registered = await registerSubject(deps, caller, {
            subjectId,
            references: references(await deps.catalogue(), caller.system, c.req.valid('json')),
            idempotency: idempotency && { ...idempotency, resourceId: subjectId },
          });
          return respond(c, registeredSchema, registered);
        },
        reload: async ({ subjectId }) => respond(c, registeredSchema, { subjectId, created: false }),
      }),
    )
    .openapi(challengeRoute, (c) =>
      deps.replayOrRun(c, {
        run: async (idempotency) => {
          const caller = c.get('caller');
          const catalogue = await deps.catalogue();
          const input = c.req.valid('json');
          const challenge = await openChallenge(deps, caller, {
            customer: refer(deps, catalogue, caller.system, input.customer, 'customer'),
            account: refer(deps, catalogue, caller.system, input.account, 'account'),
            idempotency: idempotency && { ...idempotency, resourceId: deps.ids.uuid() },
          });
          return respond(c, challengeSchema, challenge, 201);
        },
        reload: async ({ resourceId }) => respond(c, challengeSchema, await readChallenge(deps, resourceId), 201),
      }),
    )
    .openapi(seenRoute, async (c) => {
      const caller = c.get('caller');
      const catalogue = await deps.catalogue();
      const { account, code, handle, observedAt } = c.req.valid('json');
      assertObserved(observedAt, 'observedAt');
      const proved = await reportCodeSeen(deps, caller, {
        account: refer(deps, catalogue, caller.system, account, 'account'),
        code,
        handle: handle === undefined ? undefined : refer(deps, catalogue, caller.system, handle, 'handle'),
        observedAt: observedAt ?? deps.clock.now().toString(),
      });
      return respond(c, controlProvedSchema, proved);
    });
};
