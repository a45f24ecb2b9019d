import { createRoute } from '@hono/zod-openapi';
import { createRouter, problems, respond, type Guards, type Router } from '../http/index.ts';
import type { Catalogue } from '../policies/index.ts';
import type { RequireStaff } from '../staff/index.ts';
import type { SubjectDeps } from '../subjects/index.ts';
import { answerReview } from './answer-review.ts';
import { listReviews, readReview } from './read-reviews.ts';
import { requestReview } from './request-review.ts';
import {
  requestedReviewSchema,
  reviewAnswerSchema,
  reviewPathSchema,
  reviewRequestSchema,
  reviewSchema,
  reviewsQuerySchema,
  reviewsSchema,
} from './review-schema.ts';

const json = <S>(schema: S) => ({ 'application/json': { schema } });
const tags = ['Reviews'];

const requestRoute = createRoute({
  method: 'post',
  path: '/v1/reviews',
  operationId: 'requestReview',
  summary: 'Put a likely match before a human',
  description:
    'For what a check denied with the obligation human-review. Then ask again with context.review: the answer replaces the likelihood, not the yes of the person nor their proof. Repeating it answers the same review, open or answered, so it needs no Idempotency-Key.',
  tags,
  security: [{ oauth2: ['links:write'] }],
  request: { body: { required: true, content: json(reviewRequestSchema) } },
  responses: {
    200: { description: 'Asked before', content: json(requestedReviewSchema) },
    201: { description: 'In the queue', content: json(requestedReviewSchema) },
    ...problems(404, 409, 422),
  },
});

const listRoute = createRoute({
  method: 'get',
  path: '/v1/reviews',
  operationId: 'listReviews',
  summary: 'Likely matches that wait for a human',
  description: 'For caseworkers, data protection officers and auditors. The oldest first.',
  tags,
  security: [{ staffSession: [] }],
  request: { query: reviewsQuerySchema },
  responses: { 200: { description: 'A page', content: json(reviewsSchema) }, ...problems(401, 403) },
});

const readRoute = createRoute({
  method: 'get',
  path: '/v1/reviews/{reviewId}',
  operationId: 'readReview',
  summary: 'One likely match, with both identifiers',
  tags,
  security: [{ staffSession: [] }],
  request: { params: reviewPathSchema },
  responses: { 200: { description: 'Review', content: json(reviewSchema) }, ...problems(401, 403, 404) },
});

const answerRoute = createRoute({
  method: 'post',
  path: '/v1/reviews/{reviewId}/answer',
  operationId: 'answerReview',
  summary: 'Say whether they are one person',
  description: 'For caseworkers, once and for good. It changes no consent: a no stays a no.',
  tags,
  security: [{ staffSession: [] }],
  request: { params: reviewPathSchema, body: { required: true, content: json(reviewAnswerSchema) } },
  responses: { 200: { description: 'Answered', content: json(reviewSchema) }, ...problems(401, 403, 404, 409) },
});

type RouteDeps = SubjectDeps & { catalogue(): Promise<Catalogue>; requireStaff: RequireStaff };

/** `/v1/reviews`: asked by systems, answered by colleagues. */
export const reviewRoutes = (guards: Guards, deps: RouteDeps): Router =>
  createRouter(guards)
    .openapi(requestRoute, async (c) => {
      const asked = await requestReview(deps, c.get('caller'), await deps.catalogue(), c.req.valid('json'));
      return respond(c, requestedReviewSchema, asked.review, asked.created ? 201 : 200);
    })
    .openapi(listRoute, async (c) => {
      await deps.requireStaff(c, ['caseworker', 'dpo', 'auditor']);
      return respond(c, reviewsSchema, await listReviews(deps, c.req.valid('query')));
    })
    .openapi(readRoute, async (c) => {
      await deps.requireStaff(c, ['caseworker', 'dpo', 'auditor']);
      return respond(c, reviewSchema, await readReview(deps, c.req.valid('param').reviewId));
    })
    .openapi(answerRoute, async (c) => {
      const { person } = await deps.requireStaff(c, ['caseworker']);
      const { reviewId } = c.req.valid('param');
      return respond(c, reviewSchema, await answerReview(deps, person, { reviewId, ...c.req.valid('json') }));
    });
