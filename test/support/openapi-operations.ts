import { makeReference } from '../../scripts/openapi.ts';

/** A JSON Schema as it stands in the document. */
export type Schema = { readonly [keyword: string]: any };

export type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; schema: Schema };

/** One operation of the API, read from its reference and from nothing else. */
export type Operation = {
  id: string;
  method: string;
  /** `/v1/subjects/{subjectId}/consents` */
  path: string;
  /** What a token must allow; undefined where none is asked for. */
  scope: string | undefined;
  parameters: Parameter[];
  body: { contentType: string; schema: Schema; example: unknown } | undefined;
  /** Documented statuses. */
  statuses: number[];
  /** Schema of the answer by documented status, where it is JSON. */
  answers: Map<number, Schema>;
};

type Document = ReturnType<typeof makeReference>['document'] & { components: any };

/** Follows `$ref`s, any number of them. */
export const resolve = (document: object, schema: Schema): Schema =>
  typeof schema['$ref'] === 'string'
    ? resolve(
        document,
        schema['$ref']
          .slice(2)
          .split('/')
          .reduce((node: any, key: string) => node[key], document),
      )
    : schema;

/** Every operation of the document that the service would serve. Throws when there is none: then nothing would be tested. */
export const readOperations = (): { document: Document; operations: Operation[] } => {
  const document = makeReference().document as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, any>).map(([method, operation]): Operation => {
      const [body] = Object.entries((operation.requestBody?.content ?? {}) as Record<string, Schema>).map(
        ([contentType, media]) => {
          const schema = resolve(document, media['schema']);
          return { contentType, schema, example: media['example'] ?? schema['examples']?.[0] };
        },
      );
      const responses = Object.entries(operation.responses as Record<string, Schema>).map(
        ([status, response]) => [Number(status), resolve(document, response)] as const,
      );
      return {
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        scope: operation.security.flatMap((one: Record<string, string[]>) => one['oauth2'] ?? [])[0],
        parameters: (operation.parameters ?? []).map((one: Schema) => resolve(document, one)),
        body,
        statuses: responses.map(([status]) => status),
        answers: new Map(
          responses.flatMap(([status, { content }]) => {
            const schema = content?.['application/json']?.schema;
            return schema === undefined ? [] : [[status, schema as Schema] as const];
          }),
        ),
      };
    }),
  );
  if (operations.length === 0) throw new Error('the API reference has no operations');
  return { document, operations };
};
