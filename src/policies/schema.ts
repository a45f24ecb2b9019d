import { z } from 'zod';

/**
 * The shapes of the files in `policies/`. Strict: an unknown member refuses the whole folder, because a misspelt
 * condition of a policy must never widen what is allowed. What needs a second file to be judged is in `cross-check.ts`.
 */

export const languages = ['de', 'fr', 'it', 'en'] as const;
export type Language = (typeof languages)[number];

/** AuthZEN action names, the only ones a purpose, a system or a rule may name. */
export const actions = [
  'collect',
  'link',
  'enrich',
  'profile',
  'personalise',
  'contact',
  'reply',
  'reply_automatically',
  'forward',
  'share',
  'publish',
  'publish_aggregate',
  'retain',
] as const;
export type Action = (typeof actions)[number];

/** GDPR Art. 6(1)(a), (b), (c), (e), (f). */
export const legalBases = ['consent', 'contract', 'legal-obligation', 'public-task', 'legitimate-interests'] as const;

/** What a yes or a no can be narrowed to. */
export const dimensions = ['platform', 'channel', 'topic', 'form', 'recipient'] as const;
export type Dimension = (typeof dimensions)[number];

/** What a caller must do with a decision beyond obeying it. */
export const obligations = ['pseudonymise', 'aggregate-only', 'human-review', 'disclose-bot', 'inform-person'] as const;
export type Obligation = (typeof obligations)[number];

const line = z.string().trim().min(1);
const id = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'small letters, digits and single hyphens, for example "profile-linking"')
  .meta({ description: 'identifier: small letters, digits, single hyphens' });

/** One text in every language of the service. */
export const textsSchema = z
  .strictObject({ de: line, fr: line, it: line, en: line })
  .meta({ description: 'the same text in German, French, Italian and English' });
export type Texts = z.output<typeof textsSchema>;

const duration = z
  .string()
  .refine(isPositiveDuration, 'an ISO 8601 duration above zero, for example "P2Y" or "P18M"')
  .meta({ description: 'ISO 8601 duration, for example P2Y', examples: ['P2Y', 'P18M'] });

function isPositiveDuration(text: string): boolean {
  try {
    return Temporal.Duration.from(text).sign === 1;
  } catch {
    return false;
  }
}

const noDoubles = <T>(items: readonly T[]): boolean => new Set(items).size === items.length;
const setOf = <S extends z.ZodType>(schema: S) => z.array(schema).refine(noDoubles, 'each entry once');

export const controllerSchema = z
  .strictObject({
    id,
    name: line,
    contact: z.strictObject({ email: z.email(), address: line }),
    dpo: z
      .strictObject({ name: line, email: z.email() })
      .optional()
      .meta({ description: 'left out where none is appointed: GDPR Art. 37 asks it of some, FADP Art. 10 of none' }),
    jurisdiction: id.meta({ description: 'a file in jurisdictions/' }),
    languages: setOf(z.enum(languages)).min(1),
    leaseSeconds: z.int().min(1).max(3600).meta({ description: 'how long a permit may be used; 5 by default' }),
    minimumCellSize: z.int().min(2).meta({ description: 'persons per cell below which no statistic is published' }),
  })
  .meta({ title: 'Askfirst controller.yaml' });
export type Controller = z.output<typeof controllerSchema>;

export const jurisdictionSchema = z
  .strictObject({
    id,
    name: z.union([line, textsSchema]),
    digitalConsentAgeYears: z
      .int()
      .min(13)
      .max(18)
      .optional()
      .meta({ description: 'GDPR Art. 8(1) or its national form; absent where the law sets no age' }),
    authority: z.strictObject({ name: line, url: z.url({ protocol: /^https$/ }) }),
    sources: z.array(line).min(1),
  })
  .meta({ title: 'Askfirst jurisdictions/*.yaml' });
export type Jurisdiction = z.output<typeof jurisdictionSchema>;

export const namings = ['real-name', 'pseudonymous', 'mixed'] as const;

const platformSchema = z.strictObject({
  id,
  name: line,
  naming: z.enum(namings).meta({ description: 'what people there call themselves' }),
  visibility: z.enum(['public', 'mixed', 'members']),
  accountId: z
    .strictObject({ pattern: line, example: line })
    .superRefine(({ pattern, example }, context) => {
      if (!pattern.startsWith('^') || !pattern.endsWith('$')) {
        context.addIssue({ code: 'custom', path: ['pattern'], message: 'anchored at both ends: "^…$"' });
        return;
      }
      try {
        if (new RegExp(pattern, 'u').test(example)) return;
        context.addIssue({ code: 'custom', path: ['example'], message: `an account id that ${pattern} accepts` });
      } catch {
        context.addIssue({ code: 'custom', path: ['pattern'], message: 'a regular expression of ECMAScript (flag u)' });
      }
    })
    .meta({ description: 'the immutable account id, never the handle' }),
});
export type Platform = z.output<typeof platformSchema>;

export const platformsSchema = z
  .strictObject({ platforms: z.array(platformSchema).min(1) })
  .meta({ title: 'Askfirst platforms.yaml' });

const systemSchema = z
  .strictObject({
    id,
    name: textsSchema,
    kind: z
      .enum(['webhook', 'pull', 'manual'])
      .meta({ description: 'manual: a tool without an interface; its obligations are mailed to a colleague' }),
    mail: z.email().optional().meta({ description: 'who gets the tasks; required where kind is manual' }),
    holds: setOf(id).meta({ description: 'data categories; each must be named by a purpose' }),
    identifiers: setOf(id).meta({ description: 'namespaces it may use: email, phone, a platform or a system' }),
    may: z.array(z.strictObject({ actions: setOf(z.enum(actions)).min(1), purposes: setOf(id).min(1) })),
  })
  .superRefine(({ kind, mail }, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', path: ['mail'], message });
    if (kind === 'manual' && mail === undefined) refuse('the address that gets the tasks, because the kind is manual');
    if (kind !== 'manual' && mail !== undefined) refuse(`no address: a system of kind ${kind} gets no mail`);
  });
export type System = z.output<typeof systemSchema>;

export const systemsSchema = z
  .strictObject({ systems: z.array(systemSchema).min(1) })
  .meta({ title: 'Askfirst systems.yaml' });

const noticeSchema = z.strictObject({
  version: z.int().min(1),
  since: z.iso.date(),
  text: textsSchema,
  summary: textsSchema,
  corrects: setOf(z.int().min(1))
    .min(1)
    .optional()
    .meta({ description: 'earlier versions whose words were wrong: a yes to them no longer counts' }),
});

const assessmentSchema = z
  .strictObject({ risks: textsSchema, measures: textsSchema, dissent: textsSchema, reviewBy: z.iso.date() })
  .meta({ description: 'GDPR Art. 35(7): risks, measures, views of those concerned, date of the next review' });

const recipientSchema = z.strictObject({ id, name: textsSchema });

export const purposeSchema = z
  .strictObject({
    id,
    title: textsSchema,
    legalBasis: z.enum(legalBases),
    balancingTest: textsSchema.optional().meta({ description: 'required where legalBasis is legitimate-interests' }),
    dimensions: setOf(z.enum(dimensions)).default([]),
    values: z
      .strictObject({
        channel: setOf(id).min(1).optional(),
        topic: setOf(id).min(1).optional(),
        form: setOf(id).min(1).optional(),
        recipient: z.array(recipientSchema).min(1).optional(),
      })
      .default({})
      .meta({ description: 'allowed values of each declared dimension; those of platform are platforms.yaml' }),
    notices: z.array(noticeSchema).min(1).meta({ description: 'newest last' }),
    renewOnNewNotice: z.boolean(),
    validity: duration.optional(),
    doubleOptIn: z
      .boolean()
      .default(false)
      .meta({ description: 'a yes by web form for e-mail counts only once it is confirmed from the mailbox' }),
    askAgainAfter: duration
      .optional()
      .meta({ description: 'after a no nobody may be asked again before this time; absent: never' }),
    minimumAgeYears: z.int().min(0).max(21).optional(),
    dataCategories: setOf(id).min(1).meta({ description: 'each must be held by a system' }),
    recipients: setOf(id).default([]).meta({ description: 'a system, a platform or a recipient of any purpose' }),
    specialCategories: z.boolean().default(false).meta({ description: 'GDPR Art. 9: explicit consent only' }),
    automatedDecisions: z.boolean().default(false).meta({ description: 'GDPR Art. 22' }),
    endedByGpc: z.boolean().default(false).meta({ description: 'a Global Privacy Control signal is an objection' }),
    actions: setOf(z.enum(actions)).min(1),
    compatiblePurposes: setOf(id)
      .default([])
      .meta({ description: 'purposes to which its material may be forwarded, GDPR Art. 6(4)' }),
    highRisk: z.boolean().default(false),
    assessment: assessmentSchema.optional().meta({ description: 'required where highRisk is true' }),
    retired: z.iso
      .date()
      .optional()
      .meta({ description: 'no longer in use since: every use is denied and no yes is taken; a no still is' }),
    socialScoring: z.boolean().default(false).meta({ description: 'true never loads: AI Act Art. 5(1)(c)' }),
  })
  .superRefine((purpose, context) => {
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message, input: purpose });
    if (purpose.legalBasis === 'legitimate-interests' && !purpose.balancingTest) {
      refuse(
        ['balancingTest'],
        'a balancing test, because the legal basis is legitimate-interests (GDPR Art. 6(1)(f))',
      );
    }
    if (purpose.highRisk && !purpose.assessment) {
      refuse(['assessment'], 'an assessment, because the purpose is highRisk (GDPR Art. 35)');
    }
    if (purpose.doubleOptIn && purpose.legalBasis !== 'consent') {
      refuse(['doubleOptIn'], 'false, because without the legal basis consent there is no yes to confirm');
    }
    if (purpose.specialCategories && purpose.legalBasis !== 'consent') {
      refuse(['legalBasis'], '"consent", because special categories need explicit consent (GDPR Art. 9(2)(a))');
    }
    for (const dimension of dimensions) {
      if (dimension === 'platform') continue;
      const declared = purpose.dimensions.includes(dimension);
      const valued = purpose.values[dimension] !== undefined;
      if (declared && !valued) refuse(['values', dimension], `the values that dimension "${dimension}" can take`);
      if (valued && !declared) refuse(['values', dimension], `no values, or "${dimension}" among the dimensions`);
    }
    const recipientIds = purpose.values.recipient?.map((recipient) => recipient.id) ?? [];
    if (!noDoubles(recipientIds)) refuse(['values', 'recipient'], 'each recipient once');
    purpose.notices.forEach((notice, index) => {
      const before = purpose.notices[index - 1];
      if (before === undefined) return;
      if (notice.version <= before.version) {
        refuse(['notices', index, 'version'], `a version above ${before.version}: newest last, each once`);
      }
      if (notice.since < before.since) refuse(['notices', index, 'since'], `a date not before ${before.since}`);
    });
    purpose.notices.forEach(({ corrects }, index) => {
      const earlier = purpose.notices.slice(0, index).map(({ version }) => version);
      corrects?.forEach((version, i) => {
        if (earlier.includes(version)) return;
        refuse(['notices', index, 'corrects', i], `a version of an earlier notice: ${earlier.join(', ') || 'none is'}`);
      });
    });
    const began = purpose.notices.at(-1)?.since;
    if (purpose.assessment && began !== undefined && purpose.assessment.reviewBy <= began) {
      refuse(['assessment', 'reviewBy'], `a date after the newest notice (${began})`);
    }
    refuseSocialScoring(purpose, refuse);
  })
  .meta({ title: 'Askfirst purposes/*.yaml' });
export type Purpose = z.output<typeof purposeSchema>;

const socialScoringWords =
  /social[ -]?(scor|credit)|sozial[ -]?(scor|punkte|kredit|bewertung)|(notation|crédit|score)[ -]social|(punteggio|credito)[ -]sociale|(trust|citizen|personality)-scor/iu;

/** AI Act Art. 5(1)(c): declared as such, or called so in its id, its title or the categories it makes. */
function refuseSocialScoring(
  purpose: { id: string; title: Texts; dataCategories: string[]; socialScoring: boolean },
  refuse: (path: (string | number)[], message: string) => void,
): void {
  const right = 'no social scoring: it is forbidden (AI Act Art. 5(1)(c)) and never loads';
  if (purpose.socialScoring) refuse(['socialScoring'], right);
  if (socialScoringWords.test(purpose.id)) refuse(['id'], right);
  for (const language of languages) {
    if (socialScoringWords.test(purpose.title[language])) refuse(['title', language], right);
  }
  purpose.dataCategories.forEach((category, index) => {
    if (socialScoringWords.test(category)) refuse(['dataCategories', index], right);
  });
}

const ruleSchema = z.strictObject({
  id,
  effect: z.enum(['permit', 'forbid', 'oblige']),
  actions: z.union([z.literal('all'), setOf(z.enum(actions)).min(1)]),
  /** Judged by `compile-condition.ts`, which knows every fact. */
  when: z.record(z.string(), z.unknown()),
  obligations: setOf(z.enum(obligations)).default([]),
  because: z.strictObject({
    admin: textsSchema.meta({ description: 'for the colleague who asked' }),
    person: textsSchema.meta({ description: 'for the person concerned, in plain words' }),
  }),
  sources: z.array(line).min(1).meta({ description: 'for example "GDPR Art. 7(1)"' }),
});
export type Rule = z.output<typeof ruleSchema>;

export const rulesSchema = z
  .strictObject({ rules: z.array(ruleSchema).min(1) })
  .meta({ title: 'Askfirst linkage/*.yaml' });

const caseSchema = z.strictObject({
  name: line,
  facts: z.record(z.string(), z.unknown()).meta({ description: 'laid over the facts of a permitted link' }),
  expect: z.enum(['permit', 'deny']),
  fires: setOf(id).meta({ description: 'exactly the rules that fire' }),
  obligations: setOf(z.enum(obligations)).optional().meta({ description: 'exactly these, where given' }),
});
export type Case = z.output<typeof caseSchema>;

export const casesSchema = z
  .strictObject({ cases: z.array(caseSchema).min(1) })
  .meta({ title: 'Askfirst cases/*.yaml' });
