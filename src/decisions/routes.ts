import { createRoute } from '@hono/zod-openapi';
import {
  createRouter,
  parseJson,
  problems,
  readText,
  respond,
  type Guards,
  type HttpContext,
  type Router,
} from '../http/index.ts';
import { languages, type Language } from '../policies/index.ts';
import { authzenConfiguration, authzenPaths } from './authzen-metadata.ts';
import { answerResourceSearch, readResourceSearch, type FindResources } from './authzen-search.ts';
import { answerEvaluations, readEvaluations } from './authzen.ts';
import { evaluate, type DecisionDeps } from './evaluate.ts';
import {
  accessEvaluationRequestSchema,
  accessEvaluationsRequestSchema,
  accessEvaluationsResponseSchema,
  authzenConfigurationSchema,
  decisionSchema,
  resourceSearchRequestSchema,
  resourceSearchResponseSchema,
} from './schema.ts';

const json = <S>(schema: S) => ({ 'application/json': { schema } });
const security = [{ oauth2: ['decisions:evaluate'] }];
const tags = ['Decisions'];

const evaluationRoute = createRoute({
  method: 'post',
  path: authzenPaths.evaluation,
  operationId: 'evaluate',
  summary: 'May I?',
  description:
    'AuthZEN 1.0 section 6. A denial is an answer (200). Each check reads the primary; a permit is durable before it is answered. Not ready or timed out is 503, never a permit.',
  tags,
  security,
  request: { body: { required: true, content: json(accessEvaluationRequestSchema) } },
  responses: { 200: { description: 'Decision', content: json(decisionSchema) } },
});

const evaluationsRoute = createRoute({
  method: 'post',
  path: authzenPaths.evaluations,
  operationId: 'evaluateMany',
  summary: 'May I, a thousand times?',
  description: 'AuthZEN 1.0 section 7: up to 1,000 questions with common defaults, three semantics.',
  tags,
  security,
  request: { body: { required: true, content: json(accessEvaluationsRequestSchema) } },
  responses: {
    200: {
      description: 'Decisions in the order of the questions',
      content: json(accessEvaluationsResponseSchema.or(decisionSchema)),
    },
  },
});

const searchRoute = createRoute({
  method: 'post',
  path: authzenPaths.searchResource,
  operationId: 'searchResources',
  summary: 'Which of my linked identities of a customer might I use?',
  description:
    'AuthZEN 1.0 section 8.5. Advice only: limited to one customer and to links of the asking system, and no permit.',
  tags,
  security,
  request: { body: { required: true, content: json(resourceSearchRequestSchema) } },
  responses: { 200: { description: 'Identities', content: json(resourceSearchResponseSchema) }, ...problems(422) },
});

const configurationRoute = createRoute({
  method: 'get',
  path: authzenPaths.configuration,
  operationId: 'readAuthzenConfiguration',
  summary: 'Where this policy decision point answers what',
  tags,
  security: [],
  responses: { 200: { description: 'AuthZEN 1.0 section 9', content: json(authzenConfigurationSchema) } },
});

/** The language of reasons: the first of Accept-Language that the service speaks (RFC 9110 section 12.5.4, order only), else English. */
const languageOf = (c: HttpContext): Language => {
  const header = c.req.raw.headers.get('accept-language');
  if (header === null) return 'en';
  const wanted = header.split(',').map((part) => part.trim().slice(0, 2).toLowerCase());
  return (
    (wanted.find((language) => (languages as readonly string[]).includes(language)) as Language | undefined) ?? 'en'
  );
};

type RouteDeps = DecisionDeps & {
  baseUrl: string;
  /** Linked identities for a caller; linkage's. */
  findLinked(caller: { system: string; language: Language }): FindResources;
};

/** A thousand questions with their contexts. */
const batchLimitBytes = 4 * 1024 * 1024;

/** The four endpoints of AuthZEN. */
export const decisionRoutes = (guards: Guards, deps: RouteDeps): Router => {
  const asker = (c: HttpContext) => ({ system: c.get('caller').system, language: languageOf(c) });
  return createRouter(guards)
    .openapi(evaluationRoute, async (c) => {
      const [decision] = await evaluate(deps, asker(c), [c.req.valid('json')]);
      return respond(c, decisionSchema, decision!);
    })
    .openapi(
      evaluationsRoute,
      async (c) => {
        const answer = await answerEvaluations(
          readEvaluations(parseJson(await readText(c, 'application/json', batchLimitBytes))),
          (requests, stopAt) => evaluate(deps, asker(c), requests, stopAt),
        );
        return 'evaluations' in answer
          ? respond(c, accessEvaluationsResponseSchema, answer)
          : respond(c, decisionSchema, answer);
      },
      { handlerReadsBody: true },
    )
    .openapi(searchRoute, async (c) => {
      const search = readResourceSearch(c.req.valid('json'));
      return respond(c, resourceSearchResponseSchema, await answerResourceSearch(search, deps.findLinked(asker(c))));
    })
    .openapi(configurationRoute, (c) =>
      respond(c, authzenConfigurationSchema, authzenConfiguration(deps.baseUrl), 200, {
        'Cache-Control': 'public, max-age=3600',
      }),
    );
};
