import { z } from 'zod';
import { everything, type LegalBasis } from './answers.ts';
import type { RecordedEvent } from './commit-events.ts';

/**
 * The consent record and receipt of ISO/IEC TS 27560:2023 in the terms of W3C DPV 2 (guide "Consent Records and Receipts",
 * w3id.org/dpv/guides/consent-27560), as JSON-LD that needs no network to be read. `conformsTo` names a profile of our own:
 * 27560 also wants storage locations and the retention period, which are told in the notice and not in the policies.
 */

const iri = z.object({ '@id': z.string() });

const entity = z.object({
  '@id': z.string(),
  '@type': z.literal('dpv:DataController'),
  'dpv:hasName': z.string(),
  'dpv:hasContact': z.string(),
  'dpv:hasAddress': z.string(),
});

const authority = z.object({
  '@id': z.string(),
  '@type': z.literal('dpv:DataProtectionAuthority'),
  'dpv:hasName': z.string(),
});

/** The words that were shown: their version, their language, and their SHA-256 in hexadecimal. */
const notice = z.object({
  '@id': z.string(),
  '@type': z.enum(['dpv:ConsentNotice', 'dpv:PrivacyNotice']),
  'dct:hasVersion': z.string(),
  'dct:language': z.string(),
  'askfirst:sha256': z.string(),
});

const processing = z.object({
  '@type': z.literal('dpv:Process'),
  'dpv:hasDataController': iri,
  'dpv:hasPurpose': z.object({
    '@id': z.string(),
    '@type': z.literal('dpv:Purpose'),
    'dct:title': z.string().optional(),
  }),
  'dpv:hasLegalBasis': iri.optional(),
  'dpv:hasPersonalData': z.array(
    z.object({
      '@type': z.enum(['dpv:PersonalData', 'dpv:SpecialCategoryPersonalData']),
      'dct:identifier': z.string(),
    }),
  ),
  'dpv:hasRecipient': z.array(z.object({ '@type': z.literal('dpv:Recipient'), 'dct:identifier': z.string() })),
  /** One member `askfirst:<dimension>` per dimension that the answer was narrowed to. */
  'dpv:hasScope': z.object({ '@type': z.literal('dpv:Scope') }).catchall(z.string()),
  'dpv:hasConsentControl': z.object({ '@type': z.literal('dpv:WithdrawConsent'), 'dpv:isExercisedAt': z.string() }),
});

const event = z.object({
  '@type': z.array(z.string()).min(1),
  'dpv:isIndicatedBy': iri,
  'dpv:isIndicatedAtTime': z.string(),
  'dpv:hasIndicationMethod': z.string(),
  'dpv:hasDuration': z.object({
    '@type': z.enum(['dpv:UntilTimeDuration', 'dpv:EndlessDuration']),
    'rdf:value': z.string().optional(),
  }),
});

const record = z
  .object({
    '@id': z.string(),
    '@type': z.literal('dpv:ConsentRecord'),
    'dct:identifier': z.string(),
    'dct:created': z.string(),
    'dct:language': z.string(),
    'dpv:hasDataSubject': z.object({
      '@id': z.string(),
      '@type': z.literal('dpv:DataSubject'),
      'dct:identifier': z.string(),
    }),
    'dpv:hasJurisdiction': iri,
    'dpv:hasEntity': z.tuple([entity, authority]),
    'dpv:hasNotice': notice.optional(),
    'dpv:hasProcess': processing,
    /** What was answered; `hasStatus` where it was no consent (informed, objected, requested). */
    'dpv:hasConsentStatus': event.optional(),
    'dpv:hasStatus': event.optional(),
    'askfirst:action': z.enum(['give', 'confirm', 'refuse', 'withdraw', 'object', 'inform']),
    'askfirst:purpose': z.string(),
    'askfirst:system': z.string(),
    'askfirst:policyDigest': z.string(),
  })
  .refine((said) => said['dpv:hasConsentStatus'] !== undefined || said['dpv:hasStatus'] !== undefined);

/** A receipt as it is signed. `iss` is the address whose JWKS holds the key. */
export const consentReceiptSchema = z.object({
  '@context': z.record(z.string(), z.string()),
  '@id': z.string(),
  '@type': z.literal('dpv:ConsentReceipt'),
  iss: z.string(),
  'dct:conformsTo': z.object({ '@id': z.literal('urn:askfirst:schema:consent-receipt:1') }),
  'dct:identifier': z.string(),
  'dct:created': z.string(),
  'dct:publisher': iri,
  'dpv:hasRecordOfActivity': record,
});
export type ConsentReceipt = z.output<typeof consentReceiptSchema>;

/** What a receipt takes from the policies; a catalogue fits. */
export type ReceiptTerms = {
  readonly controller: {
    readonly id: string;
    readonly name: string;
    readonly contact: { readonly email: string; readonly address: string };
    readonly jurisdiction: string;
    readonly languages: readonly string[];
  };
  readonly jurisdictions: ReadonlyMap<string, { readonly authority: { readonly name: string; readonly url: string } }>;
  readonly purposes: ReadonlyMap<
    string,
    {
      readonly title: Readonly<Record<string, string>>;
      readonly legalBasis: LegalBasis;
      readonly dataCategories: readonly string[];
      readonly recipients: readonly string[];
      readonly specialCategories: boolean;
    }
  >;
};

const context = {
  dpv: 'https://w3id.org/dpv#',
  loc: 'https://w3id.org/dpv/loc#',
  dct: 'http://purl.org/dc/terms/',
  rdf: 'http://www.w3.org/1999/02/22-rdf-syntax-ns#',
  askfirst: 'urn:askfirst:vocabulary:',
} as const;

const bases: Record<LegalBasis, string> = {
  consent: 'dpv:ExpressedConsent',
  contract: 'dpv:Contract',
  'legal-obligation': 'dpv:LegalObligation',
  'public-task': 'dpv:PublicInterest',
  'legitimate-interests': 'dpv:LegitimateInterest',
};

/** What a no is where it is no end of consent. There is no right to refuse a contract or the law: that is kept as a request. */
const noes: Record<Exclude<LegalBasis, 'consent'>, string> = {
  contract: 'dpv:RequestInitiated',
  'legal-obligation': 'dpv:RequestInitiated',
  'public-task': 'dpv:PublicInterestObjected',
  'legitimate-interests': 'dpv:LegitimateInterestObjected',
};

/** What happened, as DPV states. A no to everything ends every consent and objects to all that can be objected to. */
const statesOf = ({ action, answer, purpose }: RecordedEvent, basis: LegalBasis): string[] => {
  if (answer === 'pending') return ['dpv:ConsentRequested'];
  if (answer === 'unproven') return ['dpv:ConsentUnknown'];
  // A choice within a contract or another basis is no consent, and must not look like one.
  if (action === 'give' || action === 'confirm')
    return [basis === 'consent' ? 'dpv:ConsentGiven' : 'dpv:NoticeCommunicated'];
  if (action === 'inform') return ['dpv:NoticeCommunicated'];
  const ended = action === 'refuse' ? 'dpv:ConsentRefused' : 'dpv:ConsentWithdrawn';
  if (purpose === everything) return [ended, noes['public-task'], noes['legitimate-interests']];
  return [basis === 'consent' ? ended : noes[basis]];
};

/**
 * The receipt of one recorded event. Pure: the same event under the same terms has the same receipt, whenever it is asked for.
 * @param terms the policies under which it was recorded; a purpose that they no longer hold is named without its title
 * @param issuer address of this service, under which its JWKS is found
 */
export const consentReceipt = (recorded: RecordedEvent, terms: ReceiptTerms, issuer: string): ConsentReceipt => {
  const { controller } = terms;
  const purpose = recorded.purpose === everything ? undefined : terms.purposes.get(recorded.purpose);
  const language = recorded.notice?.language ?? controller.languages[0]!;
  const supervisor = terms.jurisdictions.get(controller.jurisdiction)!.authority;
  const controllerIri = `urn:askfirst:controller:${controller.id}`;
  const scope: Record<string, string> = {};
  for (const [dimension, value] of Object.entries(recorded.scope)) scope[`askfirst:${dimension}`] = value;
  const title = purpose?.title[language];
  const states = statesOf(recorded, purpose?.legalBasis ?? 'consent');
  const status = {
    '@type': states,
    'dpv:isIndicatedBy': { '@id': indicatedBy(recorded, controllerIri) },
    'dpv:isIndicatedAtTime': recorded.occurredAt,
    'dpv:hasIndicationMethod': recorded.method,
    'dpv:hasDuration':
      recorded.expiresAt === null
        ? ({ '@type': 'dpv:EndlessDuration' } as const)
        : ({ '@type': 'dpv:UntilTimeDuration', 'rdf:value': recorded.expiresAt } as const),
  };

  return {
    '@context': context,
    '@id': `urn:askfirst:receipt:${recorded.id}`,
    '@type': 'dpv:ConsentReceipt',
    iss: issuer,
    'dct:conformsTo': { '@id': 'urn:askfirst:schema:consent-receipt:1' },
    'dct:identifier': recorded.id,
    'dct:created': recorded.recordedAt,
    'dct:publisher': { '@id': controllerIri },
    'dpv:hasRecordOfActivity': {
      '@id': `urn:uuid:${recorded.id}`,
      '@type': 'dpv:ConsentRecord',
      'dct:identifier': recorded.id,
      'dct:created': recorded.recordedAt,
      'dct:language': language,
      'dpv:hasDataSubject': {
        '@id': `urn:uuid:${recorded.subjectId}`,
        '@type': 'dpv:DataSubject',
        'dct:identifier': recorded.subjectId,
      },
      'dpv:hasJurisdiction': { '@id': locationOf(controller.jurisdiction) },
      'dpv:hasEntity': [
        {
          '@id': controllerIri,
          '@type': 'dpv:DataController',
          'dpv:hasName': controller.name,
          'dpv:hasContact': `mailto:${controller.contact.email}`,
          'dpv:hasAddress': controller.contact.address,
        },
        { '@id': supervisor.url, '@type': 'dpv:DataProtectionAuthority', 'dpv:hasName': supervisor.name },
      ],
      ...(recorded.notice && {
        'dpv:hasNotice': {
          '@id': `urn:askfirst:notice:${recorded.purpose}:${recorded.notice.version}:${recorded.notice.language}`,
          '@type': purpose && purpose.legalBasis !== 'consent' ? 'dpv:PrivacyNotice' : 'dpv:ConsentNotice',
          'dct:hasVersion': String(recorded.notice.version),
          'dct:language': recorded.notice.language,
          'askfirst:sha256': recorded.notice.hash,
        },
      }),
      'dpv:hasProcess': {
        '@type': 'dpv:Process',
        'dpv:hasDataController': { '@id': controllerIri },
        'dpv:hasPurpose': {
          '@id': `urn:askfirst:purpose:${recorded.purpose === everything ? 'everything' : recorded.purpose}`,
          '@type': 'dpv:Purpose',
          ...(title !== undefined && { 'dct:title': title }),
        },
        ...(purpose && {
          'dpv:hasLegalBasis': {
            '@id': purpose.specialCategories ? 'dpv:ExplicitlyExpressedConsent' : bases[purpose.legalBasis],
          },
        }),
        'dpv:hasPersonalData': (purpose?.dataCategories ?? []).map((category) => ({
          '@type': purpose!.specialCategories ? 'dpv:SpecialCategoryPersonalData' : 'dpv:PersonalData',
          'dct:identifier': category,
        })),
        'dpv:hasRecipient': (purpose?.recipients ?? []).map((recipient) => ({
          '@type': 'dpv:Recipient',
          'dct:identifier': recipient,
        })),
        'dpv:hasScope': { '@type': 'dpv:Scope', ...scope },
        'dpv:hasConsentControl': {
          '@type': 'dpv:WithdrawConsent',
          'dpv:isExercisedAt': `mailto:${controller.contact.email}`,
        },
      },
      ...(states[0]!.startsWith('dpv:Consent') ? { 'dpv:hasConsentStatus': status } : { 'dpv:hasStatus': status }),
      'askfirst:action': recorded.action,
      'askfirst:purpose': recorded.purpose,
      'askfirst:system': recorded.system,
      'askfirst:policyDigest': recorded.policyDigest,
    },
  };
};

const indicatedBy = ({ action, by }: RecordedEvent, controller: string): string => {
  if (action === 'inform') return controller;
  return by === 'guardian' ? 'dpv:GuardianOfDataSubject' : 'dpv:DataSubject';
};

/** DPV's locations go by ISO 3166 codes, which call the United Kingdom GB. */
const locationOf = (jurisdiction: string): string => `loc:${jurisdiction === 'uk' ? 'GB' : jurisdiction.toUpperCase()}`;
