import { z } from 'zod';
import { personal } from '../kernel/personal.ts';

/** The most evaluations that one request may carry; more is a wrong body (AuthZEN §11.7 asks for such a limit). */
export const evaluationsLimit = 1_000;

/** Identifiers and names are short; what is longer is an attack or a mistake (AuthZEN §11.7). */
const text = z.string().max(1_024);

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * `properties` and `context`: any JSON object. What may stand in it is the business of the facts (policies), which deny
 * `facts-invalid`. It is handed on by reference, because `z.record` copies, and took five times as long for a large batch.
 */
const attributes = (description: string) =>
  personal(
    z
      .custom<Record<string, unknown>>(isObject, 'must be an object')
      .meta({ type: 'object', additionalProperties: true, description }),
  );

// AuthZEN §5.1 to §5.3. Unknown members are dropped, as §10.1.1 wants.

/** Who acts (AuthZEN §5.1): here always a system, never a data subject. */
export const actingSubjectSchema = z
  .object({
    type: text.meta({ description: 'Kind of principal; this service knows `system`.' }),
    // A system's id is no personal data, but AuthZEN's own examples put a person's e-mail address here, and so will somebody.
    id: personal(text.meta({ description: 'The system that asks; it must be the system of the access token.' })),
    properties: attributes('Further attributes of the system; an unknown one denies.').optional(),
  })
  .meta({
    id: 'AuthzenSubject',
    description: 'The system about which the question is asked (AuthZEN 1.0 §5.1).',
    examples: [{ type: 'system', id: 'community-desk' }],
  });

/** What is to be done (AuthZEN §5.3). */
export const actionSchema = z
  .object({
    name: text.meta({ description: 'One of the actions of the active policy set, such as `link` or `contact`.' }),
    properties: attributes('Further attributes of the action; an unknown one denies.').optional(),
  })
  .meta({
    id: 'AuthzenAction',
    description: 'What the system intends to do (AuthZEN 1.0 §5.3).',
    examples: [{ name: 'link' }],
  });

const resourceType = text.meta({ description: 'Kind of resource, such as `social_identity` or `customer`.' });
const resourceProperties = attributes('Further attributes of the resource; an unknown one denies.').optional();

/** On what it is done (AuthZEN §5.2). */
export const resourceSchema = z
  .object({
    type: resourceType,
    id: personal(text.meta({ description: 'Identifier `namespace:value`; a social identity by its account id.' })),
    properties: resourceProperties,
  })
  .meta({
    id: 'AuthzenResource',
    description: 'What the action is done to (AuthZEN 1.0 §5.2).',
    examples: [{ type: 'social_identity', id: 'facebook:1029384756' }],
  });

const contextSchema = attributes(
  'The circumstances of the act: purpose, customer, scope, how the match was made. An unknown member denies.',
);

// Access Evaluation (AuthZEN §6)

const linkQuestion = {
  subject: { type: 'system', id: 'community-desk' },
  action: { name: 'link' },
  resource: { type: 'social_identity', id: 'facebook:1029384756' },
  context: {
    purpose: 'profile-linking',
    customer: 'crm:4711',
    actor: { id: 'u17', role: 'agent' },
    match: { method: 'declared' },
    chain: ['email:eva@example.org', 'x:44196397'],
  },
};

/** `POST /access/v1/evaluation` (AuthZEN §6.1). */
export const accessEvaluationRequestSchema = z
  .object({
    subject: actingSubjectSchema,
    action: actionSchema,
    resource: resourceSchema,
    context: contextSchema.optional(),
  })
  .meta({
    id: 'AccessEvaluationRequest',
    description: 'May this system do this, for this purpose, to this person’s data? (AuthZEN 1.0 §6.1)',
    examples: [linkQuestion],
  });

export type AccessEvaluation = z.output<typeof accessEvaluationRequestSchema>;

const reasons = (reader: string) =>
  z.record(z.string(), z.string()).meta({ description: `Why, for ${reader}: one text per rule, by the rule’s code.` });

/** What accompanies a decision (AuthZEN §5.5.1); members that do not apply are left out, never null (§11.5). */
export const decisionContextSchema = z
  .object({
    decisionId: z
      .string()
      .optional()
      .meta({ format: 'uuid', description: 'Names the stored record of this decision.' }),
    policyDigest: z.string().optional().meta({ description: 'SHA-256 (hex) of the policy set that decided.' }),
    reason_admin: reasons('those who run the system').optional(),
    reason_user: reasons('the person concerned').optional(),
    consent: z
      .object({
        id: z.string().meta({ format: 'uuid', description: 'The consent event.' }),
        noticeVersion: z.int().meta({ description: 'Version of the privacy notice to which the person said yes.' }),
      })
      .optional()
      .meta({ description: 'The consent record on which a permit relies; absent where the legal basis is another.' }),
    obligations: z
      .array(z.string())
      .optional()
      .meta({ description: 'What must be done along with the act, such as `pseudonymise` or `human-review`.' }),
    lease: z
      .object({
        id: z.string().meta({ format: 'uuid', description: 'To be named when the link is confirmed.' }),
        expiresAt: z.string().meta({ format: 'date-time', description: 'Until when the link may be confirmed.' }),
      })
      .optional()
      .meta({ description: 'Only on a permit to link. Any other permit covers one act begun within seconds.' }),
    error: z
      .object({
        status: z.int().meta({ description: 'The HTTP status that this evaluation would have had alone.' }),
        message: z.string().meta({ description: 'Which member broke which rule.' }),
      })
      .optional()
      .meta({
        description: 'Only in a batch: this evaluation could not be decided and is denied (AuthZEN 1.0 §7.2.1).',
      }),
  })
  .meta({ id: 'DecisionContext', description: 'Grounds of a decision and what it obliges to (AuthZEN 1.0 §5.5.1).' });

const permitToLink = {
  decision: true,
  context: {
    decisionId: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e11',
    policyDigest: '9f2b1c7a4f0e6d3b8a5c2e1f7d9b4a6c3e8f1d2b5a7c9e0f4b6d8a1c3e5f7092',
    reason_admin: { 'link-with-consent-and-proof': 'Valid consent, and the account is proved to be hers.' },
    reason_user: { 'link-with-consent-and-proof': 'You agreed to this link and showed that the account is yours.' },
    consent: { id: '01980d2a-11f3-7b02-8c55-0e9d3a7f6b24', noticeVersion: 1 },
    lease: { id: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e12', expiresAt: '2026-07-15T09:30:05Z' },
  },
};

const denialWithoutConsent = {
  decision: false,
  context: {
    decisionId: '01980d2c-6a10-7c3e-9f41-2b7a5c0d9e13',
    policyDigest: '9f2b1c7a4f0e6d3b8a5c2e1f7d9b4a6c3e8f1d2b5a7c9e0f4b6d8a1c3e5f7092',
    reason_admin: { 'consent-missing': 'No valid consent to “profile-linking” on facebook is recorded.' },
    reason_user: { 'consent-missing': 'You have not agreed to this. What is public is not thereby permitted.' },
  },
};

/** The answer to one evaluation (AuthZEN §5.5, §6.2). A denial is an answer, not an error: status 200. */
export const decisionSchema = z
  .object({
    decision: z.boolean().meta({ description: 'true: go ahead. false: must not be done.' }),
    context: decisionContextSchema.optional(),
  })
  .meta({
    id: 'Decision',
    description: 'The answer to one question (AuthZEN 1.0 §5.5).',
    examples: [permitToLink, denialWithoutConsent],
  });

export type Decision = z.output<typeof decisionSchema>;

// Access Evaluations (AuthZEN §7)

/** One entry of `evaluations`: what it leaves out it takes, whole, from the top of the request (AuthZEN §7.1.1). */
export const evaluationsItemSchema = accessEvaluationRequestSchema.partial().meta({
  id: 'AccessEvaluationsItem',
  description: 'One question of a batch; members left out are taken whole from the top level (AuthZEN 1.0 §7.1.1).',
  examples: [{ resource: { type: 'social_identity', id: 'instagram:5647382910' } }],
});

const semanticSchema = z.enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit']);

/** How far a batch is executed (AuthZEN §7.1.2.1). */
export type EvaluationsSemantic = z.output<typeof semanticSchema>;

/** `POST /access/v1/evaluations` (AuthZEN §7.1). Without `evaluations`, or with none in it, it is one evaluation. */
export const accessEvaluationsRequestSchema = z
  .object({
    ...accessEvaluationRequestSchema.partial().shape,
    evaluations: z.array(evaluationsItemSchema).max(evaluationsLimit).optional(),
    options: z
      .object({
        evaluations_semantic: semanticSchema
          .optional()
          .meta({ description: 'Execute all (default), or stop at the first denial or the first permit.' }),
      })
      .optional()
      .meta({ description: 'How the batch is executed (AuthZEN 1.0 §7.1.2).' }),
  })
  .meta({
    id: 'AccessEvaluationsRequest',
    description: 'Up to 1,000 questions with common defaults (AuthZEN 1.0 §7.1).',
    examples: [
      {
        subject: linkQuestion.subject,
        action: linkQuestion.action,
        context: linkQuestion.context,
        evaluations: [
          { resource: { type: 'social_identity', id: 'facebook:1029384756' } },
          { resource: { type: 'social_identity', id: 'instagram:5647382910' } },
        ],
        options: { evaluations_semantic: 'execute_all' },
      },
    ],
  });

/** Decisions in the order of the questions; fewer of them where the semantic stopped early (AuthZEN §7.2). */
export const accessEvaluationsResponseSchema = z.object({ evaluations: z.array(decisionSchema) }).meta({
  id: 'AccessEvaluationsResponse',
  description: 'Decisions in the order of the questions (AuthZEN 1.0 §7.2).',
  examples: [{ evaluations: [permitToLink, denialWithoutConsent] }],
});

export type AccessEvaluationsResponse = z.output<typeof accessEvaluationsResponseSchema>;

/** What `POST /access/v1/evaluations` answers: a single decision where the request was a single evaluation (AuthZEN §7.1). */
export const evaluationsAnswerSchema = z.union([accessEvaluationsResponseSchema, decisionSchema]);

// Resource Search (AuthZEN §8.5); subject and action search are not offered and not named in the metadata.

/** `POST /access/v1/search/resource` (AuthZEN §8.5.1). An `id` of the resource is ignored, whatever it is. */
export const resourceSearchRequestSchema = z
  .object({
    subject: actingSubjectSchema,
    action: actionSchema,
    resource: z
      .object({ type: resourceType, properties: resourceProperties })
      .meta({ description: 'The kind of resource looked for; an `id` is ignored.' }),
    context: contextSchema.optional(),
    page: z
      .object({
        token: z.string().max(4_096).optional().meta({ description: '`next_token` of the preceding response.' }),
        limit: z
          .int()
          .min(0)
          .optional()
          .meta({ description: 'Most results in one response; 100 if absent, 1,000 at most.' }),
      })
      .optional()
      .meta({ description: 'With a token everything else must be as in the preceding request (AuthZEN 1.0 §8.2.1).' }),
  })
  .meta({
    id: 'ResourceSearchRequest',
    description: 'Which of this system’s linked identities of one customer may be used so? (AuthZEN 1.0 §8.5)',
    examples: [
      {
        subject: linkQuestion.subject,
        action: { name: 'reply' },
        resource: { type: 'social_identity' },
        context: { purpose: 'customer-service', customer: 'crm:4711' },
        page: { limit: 50 },
      },
    ],
  });

export type ResourceSearchRequest = z.output<typeof resourceSearchRequestSchema>;

/** The answer to a search (AuthZEN §8.3): advisory, never a permit. `page` stands first, as the specification advises. */
export const resourceSearchResponseSchema = z
  .object({
    page: z.object({
      next_token: z.string().meta({ description: 'Opaque; empty on the last page.' }),
      count: z.int().min(0).meta({ description: 'Number of results in this response.' }),
    }),
    results: z.array(resourceSchema.pick({ type: true, id: true })),
  })
  .meta({
    id: 'ResourceSearchResponse',
    description: 'Resources that would now be permitted; each use still needs an evaluation (AuthZEN 1.0 §8.3).',
    examples: [
      {
        page: { next_token: '', count: 2 },
        results: [
          { type: 'social_identity', id: 'facebook:1029384756' },
          { type: 'social_identity', id: 'x:44196397' },
        ],
      },
    ],
  });

export type ResourceSearchResponse = z.output<typeof resourceSearchResponseSchema>;

// PDP metadata (AuthZEN §9)

const endpoint = (name: string) => z.url().meta({ description: `URL of the ${name} endpoint.` });

/** `GET /.well-known/authzen-configuration` (AuthZEN §9.1.1): an endpoint that is not named is not offered. */
export const authzenConfigurationSchema = z
  .object({
    policy_decision_point: z.url().meta({ description: 'Identifier of this service; its base URL.' }),
    access_evaluation_endpoint: endpoint('Access Evaluation'),
    access_evaluations_endpoint: endpoint('Access Evaluations'),
    search_resource_endpoint: endpoint('Resource Search'),
  })
  .meta({
    id: 'AuthzenConfiguration',
    description: 'Where this policy decision point answers what (AuthZEN 1.0 §9).',
    examples: [
      {
        policy_decision_point: 'https://askfirst.example.org',
        access_evaluation_endpoint: 'https://askfirst.example.org/access/v1/evaluation',
        access_evaluations_endpoint: 'https://askfirst.example.org/access/v1/evaluations',
        search_resource_endpoint: 'https://askfirst.example.org/access/v1/search/resource',
      },
    ],
  });

export type AuthzenConfiguration = z.output<typeof authzenConfigurationSchema>;
