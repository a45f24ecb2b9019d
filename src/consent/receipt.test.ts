import { describe, expect, test } from 'vitest';
import { consentReceipt, consentReceiptSchema, type ReceiptTerms } from './receipt.ts';
import type { RecordedEvent } from './commit-events.ts';

const title = { de: 'Konten verbinden', fr: 'Relier', it: 'Collegare', en: 'Linking accounts' };
const purpose = {
  title,
  legalBasis: 'consent',
  dataCategories: ['account-id', 'handle'],
  recipients: ['crm'],
  specialCategories: false,
} as const;
const terms: ReceiptTerms = {
  controller: {
    id: 'example-association',
    name: 'Example Tourism Association',
    contact: { email: 'privacy@example.org', address: 'Beispielweg 1, 3999 Beispielalp' },
    jurisdiction: 'ch',
    languages: ['de', 'en'],
  },
  jurisdictions: new Map([['ch', { authority: { name: 'FDPIC', url: 'https://www.edoeb.admin.ch/' } }]]),
  purposes: new Map(
    Object.entries({
      'profile-linking': purpose,
      health: { ...purpose, specialCategories: true },
      'customer-service': { ...purpose, legalBasis: 'contract' as const },
      'open-statistics': { ...purpose, legalBasis: 'public-task' as const },
      'sentiment-analysis': { ...purpose, legalBasis: 'legitimate-interests' as const },
    }),
  ),
};
const event: RecordedEvent = {
  id: '018f6f2e-0000-7000-8000-000000000001',
  subjectId: '018f6f2e-0000-7000-8000-0000000000aa',
  subjectSeq: 3,
  purpose: 'profile-linking',
  scope: { platform: 'facebook' },
  action: 'give',
  notice: { version: 2, language: 'fr', hash: 'ab'.repeat(32) },
  method: 'web-form',
  system: 'crm',
  occurredAt: '2026-05-04T10:00:00Z',
  recordedAt: '2026-05-04T10:00:01Z',
  expiresAt: '2028-05-04T10:00:00Z',
  answer: 'yes',
  by: 'self',
  confirms: null,
  campaign: null,
  policyDigest: 'cd'.repeat(32),
};
const receiptOf = (changed: Partial<RecordedEvent> = {}) =>
  consentReceipt({ ...event, ...changed }, terms, 'https://ask.example.org');
const recordOf = (changed: Partial<RecordedEvent> = {}) => receiptOf(changed)['dpv:hasRecordOfActivity'];
const statesOf = (changed: Partial<RecordedEvent>) => {
  const record = recordOf(changed);
  return record['dpv:hasConsentStatus']?.['@type'] ?? record['dpv:hasStatus']?.['@type'];
};

describe('A receipt', () => {
  test('says by itself who asked whom, for what, in which words, where, when and until when', () => {
    const receipt = receiptOf();
    expect(consentReceiptSchema.parse(JSON.parse(JSON.stringify(receipt)))).toEqual(receipt);
    expect(receipt).toMatchObject({
      '@type': 'dpv:ConsentReceipt',
      iss: 'https://ask.example.org',
      'dct:identifier': event.id,
      'dct:created': event.recordedAt,
    });
    expect(recordOf()).toMatchObject({
      'dct:identifier': event.id,
      'dct:language': 'fr',
      'dpv:hasDataSubject': { 'dct:identifier': event.subjectId },
      'dpv:hasJurisdiction': { '@id': 'loc:CH' },
      'dpv:hasEntity': [
        {
          '@type': 'dpv:DataController',
          'dpv:hasName': 'Example Tourism Association',
          'dpv:hasContact': 'mailto:privacy@example.org',
          'dpv:hasAddress': 'Beispielweg 1, 3999 Beispielalp',
        },
        { '@type': 'dpv:DataProtectionAuthority', 'dpv:hasName': 'FDPIC' },
      ],
      'dpv:hasNotice': {
        '@type': 'dpv:ConsentNotice',
        'dct:hasVersion': '2',
        'dct:language': 'fr',
        'askfirst:sha256': 'ab'.repeat(32),
      },
      'dpv:hasProcess': {
        'dpv:hasPurpose': { '@id': 'urn:askfirst:purpose:profile-linking', 'dct:title': 'Relier' },
        'dpv:hasLegalBasis': { '@id': 'dpv:ExpressedConsent' },
        'dpv:hasPersonalData': [{ 'dct:identifier': 'account-id' }, { 'dct:identifier': 'handle' }],
        'dpv:hasRecipient': [{ 'dct:identifier': 'crm' }],
        'dpv:hasScope': { '@type': 'dpv:Scope', 'askfirst:platform': 'facebook' },
      },
      'dpv:hasConsentStatus': {
        '@type': ['dpv:ConsentGiven'],
        'dpv:isIndicatedBy': { '@id': 'dpv:DataSubject' },
        'dpv:isIndicatedAtTime': event.occurredAt,
        'dpv:hasIndicationMethod': 'web-form',
        'dpv:hasDuration': { '@type': 'dpv:UntilTimeDuration', 'rdf:value': event.expiresAt },
      },
      'askfirst:action': 'give',
      'askfirst:policyDigest': event.policyDigest,
    });
  });

  test('is the same whenever it is asked for again', () => {
    expect(JSON.stringify(receiptOf())).toBe(JSON.stringify(receiptOf()));
  });

  test('needs no network to be read: its context only spells out prefixes', () => {
    const text = JSON.stringify(receiptOf());
    const { '@context': context } = receiptOf();
    const used = new Set([...text.matchAll(/"(dpv|loc|dct|rdf|askfirst):/g)].map((match) => match[1]!));
    for (const prefix of used) expect(context[prefix]).toMatch(/[#/:]$/);
  });

  test('holds no identifier of the person but the pseudonym', () => {
    const withoutController = JSON.stringify(receiptOf()).replaceAll('privacy@example.org', '');
    expect(withoutController).not.toContain('@example');
  });

  test.for([
    [{ action: 'give' }, ['dpv:ConsentGiven']],
    [{ action: 'refuse', notice: null }, ['dpv:ConsentRefused']],
    [{ action: 'withdraw', notice: null }, ['dpv:ConsentWithdrawn']],
    [{ action: 'object', purpose: 'sentiment-analysis' }, ['dpv:LegitimateInterestObjected']],
    [{ action: 'object', purpose: 'open-statistics' }, ['dpv:PublicInterestObjected']],
    [{ action: 'inform', purpose: 'customer-service' }, ['dpv:NoticeCommunicated']],
    [{ action: 'withdraw', purpose: 'customer-service' }, ['dpv:RequestInitiated']],
    [
      { action: 'object', purpose: '*', notice: null },
      ['dpv:ConsentWithdrawn', 'dpv:PublicInterestObjected', 'dpv:LegitimateInterestObjected'],
    ],
  ] satisfies [Partial<RecordedEvent>, string[]][])('names what happened: %o -> %o', ([changed, states]) => {
    expect(statesOf(changed)).toEqual(states);
  });

  test('calls consent by its name only where it is consent', () => {
    expect(recordOf()['dpv:hasStatus']).toBeUndefined();
    const informed = recordOf({ action: 'inform', purpose: 'customer-service' });
    expect(informed['dpv:hasConsentStatus']).toBeUndefined();
    expect(informed['dpv:hasNotice']!['@type']).toBe('dpv:PrivacyNotice');
    expect(informed['dpv:hasStatus']!['dpv:isIndicatedBy']['@id']).toBe('urn:askfirst:controller:example-association');
  });

  test('calls consent to special categories explicit', () => {
    expect(recordOf({ purpose: 'health' })['dpv:hasProcess']).toMatchObject({
      'dpv:hasLegalBasis': { '@id': 'dpv:ExplicitlyExpressedConsent' },
      'dpv:hasPersonalData': [{ '@type': 'dpv:SpecialCategoryPersonalData' }, {}],
    });
  });

  test('is given also for a purpose that the policies no longer hold, and for a no to everything', () => {
    for (const [id, iri] of [
      ['forgotten', 'urn:askfirst:purpose:forgotten'],
      ['*', 'urn:askfirst:purpose:everything'],
    ] as const) {
      const record = recordOf({ purpose: id, action: 'withdraw', notice: null, scope: {}, expiresAt: null });
      expect(record['dpv:hasProcess']['dpv:hasPurpose']).toEqual({ '@id': iri, '@type': 'dpv:Purpose' });
      expect(record['dct:language']).toBe('de');
      expect(record['dpv:hasNotice']).toBeUndefined();
      expect(record['dpv:hasConsentStatus']!['dpv:hasDuration']).toEqual({ '@type': 'dpv:EndlessDuration' });
    }
  });
});
