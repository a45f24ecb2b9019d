import { z } from 'zod';
import { problemTitles } from './problem.ts';

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'urn:askfirst:problem: and the code' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What is wrong, in a sentence without personal data' }),
    code: z.string().meta({ description: 'Stable; decide by it' }),
    errors: z
      .array(
        z.object({
          member: z.string().meta({ description: 'Path of the member, such as context.purpose' }),
          rule: z.string(),
          detail: z.string(),
        }),
      )
      .optional(),
    instance: z.string().optional().meta({ description: 'Names the occurrence in the log of the service' }),
  })
  .meta({ description: 'RFC 9457' });

/** `components.schemas.Problem` of the API reference. */
export const problemJsonSchema = (): object => {
  const { $schema: _, ...schema } = z.toJSONSchema(problemSchema, { io: 'input' });
  return schema;
};

type ProblemStatus = 400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 | 500 | 503;

const nameOf = (status: number): string => `Problem${status}`;

/** References to the shared problem responses, for `responses` of a route. */
export const problems = (...statuses: ProblemStatus[]): Record<number, { $ref: string }> =>
  Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${nameOf(status)}` }]));

/** The problems that an operation may answer with because of how it is guarded; a route adds its own. */
export const problemResponses = (operation: {
  secured: boolean;
  limited: boolean;
  input: boolean;
  body: boolean;
  idempotent: boolean;
}): Record<number, { $ref: string }> => ({
  ...problems(500, 503),
  ...(operation.input ? problems(400) : {}),
  ...(operation.body ? problems(413) : {}),
  ...(operation.secured ? problems(401, 403) : {}),
  ...(operation.limited ? problems(429) : {}),
  ...(operation.idempotent ? problems(409, 422) : {}),
});

const header = (description: string, example: string) => ({
  description,
  schema: { type: 'string', examples: [example] },
});

/** The headers by which a client learns what to do next (RFC 9110 section 10.2.3, RFC 6750 section 3). */
const headersOf = (status: number): object => ({
  'X-Request-ID': header('Names the request in the log', '0198c1f0-5c1e-7c1a-9d0e-1f2a3b4c5d6e'),
  ...(status === 401 || status === 403
    ? { 'WWW-Authenticate': header('How to authenticate', 'Bearer realm="askfirst"') }
    : {}),
  ...(status === 429 || status === 503 ? { 'Retry-After': header('Seconds to wait', '1') } : {}),
});

/** `components.responses` of the API reference. */
export const problemComponents = (): Record<string, object> =>
  Object.fromEntries(
    Object.entries(problemTitles).map(([status, title]) => [
      nameOf(Number(status)),
      {
        description: title,
        headers: headersOf(Number(status)),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
