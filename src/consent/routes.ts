import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import {
  createRouter,
  idempotencyHeaders,
  problems,
  respond,
  type Guards,
  type HttpContext,
  type ReplayOrRun,
  type Router,
} from '../http/index.ts';
import type { Catalogue, Purpose } from '../policies/index.ts';
import { SubjectNotFound, subjectPathSchema, throughAliases, uuidSchema } from '../subjects/index.ts';
import type { Answers, Scope } from './answers.ts';
import type { ConsentStatus } from './consent-status.ts';
import { hashOfWords } from './notice.ts';
import { answersAsOf, readEvent, readHistory, statusOfAll } from './read-history.ts';
import { recordBirthMonth } from './birth-month.ts';
import { confirmConsent } from './confirm-consent.ts';
import { mayBeAsked } from './may-be-asked.ts';
import { mergeSubjects } from './merge-subjects.ts';
import { recordConsent } from './record-consent.ts';
import type { RecordedEvent } from './commit-events.ts';
import type { ConsentDeps } from './record-event.ts';
import {
  asOfQuerySchema,
  birthMonthSchema,
  confirmInputSchema,
  consentInputSchema,
  historyQuerySchema,
  historySchema,
  mergedSchema,
  mergeInputSchema,
  noInputSchema,
  purposesSchema,
  receiptSchema,
  recordedSchema,
  standingSchema,
} from './schema.ts';
import { objectToPurpose, withdrawConsent } from './withdraw-consent.ts';

const json = <S>(schema: S) => ({ 'application/json': { schema } });
const write = [{ oauth2: ['consents:write'] }];
const read = [{ oauth2: ['consents:read'] }];
const recorded = { 201: { description: 'Recorded, durable', content: json(recordedSchema) } };

const recordRoute = createRoute({
  method: 'post',
  path: '/v1/consents',
  operationId: 'recordConsent',
  summary: 'Record that a person said yes, said no, or was informed',
  description: 'The person is found by the identifier, or created. The receipt is for the person.',
  tags: ['Consent'],
  security: write,
  request: { headers: idempotencyHeaders, body: { required: true, content: json(consentInputSchema) } },
  responses: { ...recorded, ...problems(409, 422) },
});

const withdrawRoute = createRoute({
  method: 'post',
  path: '/v1/consents/withdraw',
  operationId: 'withdrawConsent',
  summary: 'Record that a person takes consent back',
  description:
    'Always possible, never limited. When this is answered, every check that starts afterwards denies, and what has to be unlinked or stopped is on its way.',
  tags: ['Consent'],
  security: write,
  request: { body: { required: true, content: json(noInputSchema) } },
  responses: { ...recorded, ...problems(409, 422) },
});

const objectRoute = createRoute({
  method: 'post',
  path: '/v1/consents/object',
  operationId: 'objectToPurpose',
  summary: 'Record that a person objects',
  description: 'Ends what rests on legitimate interests or a public task (Art. 21 GDPR). Same rules as a withdrawal.',
  tags: ['Consent'],
  security: write,
  request: { body: { required: true, content: json(noInputSchema) } },
  responses: { ...recorded, ...problems(409, 422) },
});

const eventPathSchema = subjectPathSchema.extend({ eventId: uuidSchema });

const confirmRoute = createRoute({
  method: 'post',
  path: '/v1/subjects/{subjectId}/consents/{eventId}/confirm',
  operationId: 'confirmConsent',
  summary: 'Confirm a pending yes by the code from its mail',
  description: 'Five attempts within 48 hours; every refusal is answered alike. The same code again answers the same.',
  tags: ['Consent'],
  security: write,
  request: { params: eventPathSchema, body: { required: true, content: json(confirmInputSchema) } },
  responses: { ...recorded, ...problems(409, 422) },
});

const mergeRoute = createRoute({
  method: 'post',
  path: '/v1/subjects/{subjectId}/merge',
  operationId: 'mergeSubjects',
  summary: 'Make another record of the same person an alias of this one',
  description:
    'Every no of either survives, a yes only where both gave it; links end and proofs of control are not taken over. What was interrupted is completed by itself.',
  tags: ['Subjects'],
  security: [{ oauth2: ['subjects:write'] }],
  request: { params: subjectPathSchema, body: { required: true, content: json(mergeInputSchema) } },
  responses: { 200: { description: 'Merged', content: json(mergedSchema) }, ...problems(404, 409, 422) },
});

const birthMonthRoute = createRoute({
  method: 'put',
  path: '/v1/subjects/{subjectId}/birth-month',
  operationId: 'recordBirthMonth',
  summary: 'Record in which month a person was born',
  description:
    'Only where it matters whether a guardian has to answer (Art. 8 GDPR). What was recorded before is judged by it too, and can only lose by it.',
  tags: ['Subjects'],
  security: [{ oauth2: ['subjects:write'] }],
  request: { params: subjectPathSchema, body: { required: true, content: json(birthMonthSchema) } },
  responses: { 204: { description: 'Recorded' }, ...problems(404, 409, 422) },
});

const standingRoute = createRoute({
  method: 'get',
  path: '/v1/subjects/{subjectId}/consents',
  operationId: 'readConsents',
  summary: 'Where a person stands on every purpose',
  tags: ['Consent'],
  security: read,
  request: { params: subjectPathSchema, query: asOfQuerySchema },
  responses: { 200: { description: 'Standing', content: json(standingSchema) }, ...problems(404) },
});

const historyRoute = createRoute({
  method: 'get',
  path: '/v1/subjects/{subjectId}/consents/history',
  operationId: 'readConsentHistory',
  summary: 'Everything a person ever answered',
  tags: ['Consent'],
  security: read,
  request: { params: subjectPathSchema, query: historyQuerySchema },
  responses: {
    200: { description: 'A page, in the order of recording', content: json(historySchema) },
    ...problems(404),
  },
});

const receiptRoute = createRoute({
  method: 'get',
  path: '/v1/subjects/{subjectId}/consents/{eventId}/receipt',
  operationId: 'readReceipt',
  summary: 'The receipt of one answer, signed anew',
  tags: ['Consent'],
  security: read,
  request: { params: eventPathSchema },
  responses: { 200: { description: 'Receipt', content: json(receiptSchema) }, ...problems(404) },
});

const purposesRoute = createRoute({
  method: 'get',
  path: '/v1/purposes',
  operationId: 'readPurposes',
  summary: 'Purposes of the active policy set, with their newest notice',
  tags: ['Consent'],
  security: read,
  responses: { 200: { description: 'Purposes', content: json(purposesSchema) } },
});

type RouteDeps = ConsentDeps & {
  catalogue(): Promise<Catalogue>;
  replayOrRun: ReplayOrRun;
  /** Signs the receipt of an event. */
  receipt(event: RecordedEvent): Promise<string>;
  /** Lets those look at once who act upon what a no has ended. */
  wake(): void;
};

type NoInput = z.output<typeof noInputSchema>;

const statusOut = (status: ConsentStatus) => ({
  result: status.result,
  code: status.code,
  reliedOn: status.reliedOn,
  inheritedFrom: status.inheritedFrom,
  ask: status.ask,
  until: status.until === undefined ? undefined : Temporal.Instant.fromEpochMilliseconds(status.until).toString(),
});

const askingOut = (answers: Answers, purpose: Purpose, scope: Scope, at: Temporal.Instant) => {
  const { may, from } = mayBeAsked(answers, purpose.id, scope, at.epochMilliseconds, purpose);
  return {
    mayBeAsked: may,
    askableFrom: from === undefined ? undefined : Temporal.Instant.fromEpochMilliseconds(from).toString(),
  };
};

/** `/v1/consents`, the consents of a subject, and `/v1/purposes`. */
export const consentRoutes = (guards: Guards, deps: RouteDeps): Router => {
  const answerEvent = async (c: HttpContext, event: RecordedEvent) =>
    respond(c, recordedSchema, { event, receipt: await deps.receipt(event) }, 201);
  const known = async (subjectId: string) => {
    const state = await deps.reader.state(subjectId);
    if (state.version === 0) throw new SubjectNotFound('subjectId');
    return throughAliases(deps, state);
  };
  const sayNo = async (c: HttpContext, verb: typeof withdrawConsent, input: NoInput) => {
    const event = await verb(deps, c.get('caller'), await deps.catalogue(), input);
    deps.wake();
    return answerEvent(c, event);
  };
  const actions = { given: 'give', refused: 'refuse', informed: 'inform' } as const;

  return createRouter(guards)
    .openapi(recordRoute, (c) =>
      deps.replayOrRun(c, {
        run: async (idempotency) => {
          const { decision, ...input } = c.req.valid('json');
          const event = await recordConsent(deps, c.get('caller'), await deps.catalogue(), {
            ...input,
            action: actions[decision],
            idempotency: idempotency && { ...idempotency, resourceId: deps.ids.uuid() },
          });
          if (decision === 'refused') deps.wake();
          return answerEvent(c, event);
        },
        reload: async ({ subjectId, resourceId }) =>
          answerEvent(c, await readEvent(deps.database, subjectId, resourceId)),
      }),
    )
    .openapi(withdrawRoute, (c) => sayNo(c, withdrawConsent, c.req.valid('json')), { unlimited: true })
    .openapi(objectRoute, (c) => sayNo(c, objectToPurpose, c.req.valid('json')), { unlimited: true })
    .openapi(confirmRoute, async (c) => {
      const event = await confirmConsent(deps, c.get('caller'), await deps.catalogue(), {
        ...c.req.valid('param'),
        ...c.req.valid('json'),
      });
      return answerEvent(c, event);
    })
    .openapi(mergeRoute, async (c) => {
      const { subject: other, actor } = c.req.valid('json');
      const merged = await mergeSubjects(deps, c.get('caller'), await deps.catalogue(), {
        ...c.req.valid('param'),
        other,
        actor,
      });
      deps.wake();
      return respond(c, mergedSchema, merged);
    })
    .openapi(birthMonthRoute, async (c) => {
      await recordBirthMonth(deps, c.get('caller'), await deps.catalogue(), {
        ...c.req.valid('param'),
        ...c.req.valid('json'),
      });
      deps.wake();
      return c.body(null, 204);
    })
    .openapi(standingRoute, async (c) => {
      const { subjectId } = c.req.valid('param');
      const { asOf } = c.req.valid('query');
      const catalogue = await deps.catalogue();
      const state = await known(subjectId);
      const at = asOf === undefined ? deps.clock.now() : Temporal.Instant.from(asOf);
      const answers = asOf === undefined ? (state.answers as Answers) : await answersAsOf(deps.database, subjectId, at);
      const purposes = statusOfAll(answers, catalogue, at).map(({ scopes, ...purpose }) => ({
        ...purpose,
        scopes: scopes.map(({ scope, status, exceptions }) => ({
          scope,
          status: statusOut(status),
          ...(purpose.legalBasis === 'consent' &&
            askingOut(answers, catalogue.purposes.get(purpose.purpose)!, scope, at)),
          exceptions: exceptions.map((exception) => ({ scope: exception.scope, status: statusOut(exception.status) })),
        })),
      }));
      return respond(c, standingSchema, { asOf: at.toString(), purposes });
    })
    .openapi(historyRoute, async (c) => {
      const { subjectId } = c.req.valid('param');
      const { cursor, limit } = c.req.valid('query');
      await known(subjectId);
      const { events, next } = await readHistory(deps.database, subjectId, { after: cursor, limit });
      return respond(c, historySchema, { events, nextCursor: next });
    })
    .openapi(receiptRoute, async (c) => {
      const { subjectId, eventId } = c.req.valid('param');
      return respond(c, receiptSchema, {
        receipt: await deps.receipt(await readEvent(deps.database, subjectId, eventId)),
      });
    })
    .openapi(purposesRoute, async (c) => {
      const catalogue = await deps.catalogue();
      const purposes = [...catalogue.purposes.values()].map((purpose) => {
        const { version, since, text, summary } = purpose.notices.at(-1)!;
        const hash = Object.fromEntries(
          Object.entries(text).map(([language, words]) => [language, hashOfWords(words).toString('hex')]),
        );
        return { ...purpose, notice: { version, since, text, summary, hash } };
      });
      return respond(c, purposesSchema, { policyDigest: catalogue.digest, purposes });
    });
};
