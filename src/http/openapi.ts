import { z } from 'zod';
import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import type { HttpEnv } from './env.ts';
import { problemComponents, problemJsonSchema } from './problem-responses.ts';
import type { Router } from './router.ts';
import { SCOPES } from './scopes.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json | undefined };

/** Sorts members by name, so that the document changes only where the API does. */
const sorted = (value: Json): Json => {
  if (Array.isArray(value)) return value.map((item) => sorted(item as Json));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as { [member: string]: Json }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
};

export type OpenApiDocument = { openapi: string; paths: Record<string, Record<string, unknown>> } & Record<
  string,
  unknown
>;

const tags = [
  { name: 'Access', description: 'Tokens and keys' },
  { name: 'Decisions', description: 'May I? AuthZEN Authorization API 1.0' },
  { name: 'Subjects', description: 'Identifiers of persons and proof of control' },
  { name: 'Consent', description: 'Record, withdraw, object, status, history, receipts' },
  { name: 'Links', description: 'Ties of social identities to customers' },
  { name: 'Reviews', description: 'Likely matches that a human looks at' },
  { name: 'Obligations', description: 'What a system has to do' },
  { name: 'Staff', description: 'Sign-in of colleagues' },
  { name: 'Operations', description: 'Health' },
];

const securitySchemes = {
  oauth2: {
    type: 'oauth2',
    description: 'Client credentials (RFC 6749 section 4.4); tokens live at most 300 s',
    flows: { clientCredentials: { tokenUrl: '/oauth/token', scopes: SCOPES } },
  },
  staffSession: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-askfirst-staff',
    description: 'A colleague who signed in at /staff/sign-in',
  },
  client: { type: 'http', scheme: 'basic', description: 'Client id and secret, at the token endpoint only' },
};

/** Builds the OpenAPI 3.1 document of all operations that were added to `app` by routers. */
export const buildDocument = (app: Router, version: string): OpenApiDocument => {
  const hono = app as unknown as OpenAPIHono<HttpEnv>;
  const { components, ...document } = hono.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Askfirst',
      version,
      description: 'Ask first, then link: consent and data-subject rights for a Social CRM',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/' }],
    tags,
  });
  const schemas = { ...components?.schemas, Problem: problemJsonSchema() };
  const whole = {
    ...document,
    components: { ...components, schemas, responses: problemComponents(), securitySchemes },
  };
  return sorted(JSON.parse(JSON.stringify(whole)) as Json) as unknown as OpenApiDocument;
};

export const formatDocument = (document: OpenApiDocument): string => `${JSON.stringify(document, null, 2)}\n`;

const firstExample = (meta: z.core.GlobalMeta | undefined): unknown => (meta?.examples as unknown[] | undefined)?.[0];

type Example = { example?: unknown; schema?: unknown };

/** The example of a media type, or of its schema (`meta({ examples })`). */
const exampleOf = ({ example, schema }: Example): unknown =>
  example ?? firstExample((schema as z.ZodType | undefined)?.meta());

const bodyProblems = (route: RouteConfig): string[] =>
  Object.entries(route.request?.body?.content ?? {}).flatMap(([type, media]) => {
    const example = exampleOf(media as Example);
    if (example === undefined) return [`has no example body (${type})`];
    const read = ((media as Example).schema as z.ZodType).safeParse(example);
    return read.success ? [] : [`has an example body that its schema refuses at ${at(read.error)}`];
  });

const at = (error: z.core.$ZodError): string => error.issues.map(({ path }) => path.join('.')).join(', ');

const shapeOf = (schema: unknown): Record<string, z.ZodType> => (schema instanceof z.ZodObject ? schema.shape : {});

const parameterProblems = (route: RouteConfig): string[] =>
  Object.entries({
    ...shapeOf(route.request?.params),
    ...shapeOf(route.request?.query),
    ...shapeOf(route.request?.headers),
  }).flatMap(([name, schema]) => {
    const example = firstExample(metaOf(schema));
    if (example === undefined) return [`has no example of ${name}`];
    return schema.safeParse(example).success ? [] : [`has an example of ${name} that its schema refuses`];
  });

/** The meta of a schema or of what it wraps (`optional()` after `meta()`). */
const metaOf = (schema: z.ZodType): z.core.GlobalMeta | undefined =>
  schema.meta() ??
  (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault
    ? metaOf(schema.unwrap() as z.ZodType)
    : undefined);

const missing = (route: RouteConfig): string[] => {
  const responses = Object.keys(route.responses);
  return [
    ...(route.operationId === undefined ? ['has no operationId'] : []),
    ...(route.summary === undefined ? ['has no summary'] : []),
    ...(route.tags?.every((name) => tags.some((tag) => tag.name === name)) ? [] : ['has no known tag']),
    ...(route.security === undefined ? ['does not say who may call it'] : []),
    ...(responses.some((status) => /^[23]/.test(status)) ? [] : ['has no answer of success']),
    ...(responses.includes('500') && responses.includes('503') ? [] : ['has no problem responses']),
  ];
};

/**
 * What the reference fails to say, one sentence a gap: each operation needs a summary, an operationId of its own, a tag,
 * security, problem responses, and for each input an example that its own schema takes, for that is what people try first.
 */
export const documentProblems = (app: Router): string[] => {
  const { definitions } = (app as unknown as OpenAPIHono<HttpEnv>).openAPIRegistry;
  const routes = definitions.flatMap((definition) =>
    definition.type === 'route' ? [definition.route as RouteConfig] : [],
  );
  if (routes.length === 0) return ['the API has no operations'];
  const ids = routes.map((route) => route.operationId);
  return routes.flatMap((route) =>
    [
      ...missing(route),
      ...(ids.filter((id) => id === route.operationId).length > 1 ? ['shares its operationId'] : []),
      ...bodyProblems(route),
      ...parameterProblems(route),
    ].map((gap) => `${route.method.toUpperCase()} ${route.path} ${gap}`),
  );
};
