import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import type { JSONWebKeySet, JWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { consentReceipt } from './receipt.ts';
import { signReceipt, verifyReceipt } from './receipt-signature.ts';
import { verifyReceiptText } from './verify-receipt-text.ts';

const makeKey = (kid: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk: JWK = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
  return { kid, privateKey, publicKey, publicJwk };
};
const key = makeKey('key-1');
const olderKey = makeKey('key-0');
const jwks: JSONWebKeySet = { keys: [key.publicJwk, olderKey.publicJwk] };

const receipt = consentReceipt(
  {
    id: '018f6f2e-0000-7000-8000-000000000001',
    subjectId: '018f6f2e-0000-7000-8000-0000000000aa',
    subjectSeq: 3,
    purpose: 'profile-linking',
    scope: { platform: 'facebook' },
    action: 'give',
    notice: { version: 2, language: 'en', hash: 'ab'.repeat(32) },
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
  },
  {
    controller: {
      id: 'example-association',
      name: 'Example Tourism Association',
      contact: { email: 'privacy@example.org', address: 'Beispielweg 1, 3999 Beispielalp' },
      jurisdiction: 'ch',
      languages: ['de'],
    },
    jurisdictions: new Map([['ch', { authority: { name: 'FDPIC', url: 'https://www.edoeb.admin.ch/' } }]]),
    purposes: new Map([
      [
        'profile-linking',
        {
          title: { en: 'Linking your social accounts' },
          legalBasis: 'consent',
          dataCategories: ['account-id'],
          recipients: [],
          specialCategories: false,
        },
      ],
    ]),
  },
  'https://ask.example.org',
);
const jws = signReceipt(receipt, key);
const [header, payload, signature] = jws.split('.') as [string, string, string];

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** Signs whatever it is given, as somebody would who holds the key. */
const forge = (protectedHeader: object, body: unknown, privateKey: KeyObject = key.privateKey): string => {
  const signed = `${encode(protectedHeader)}.${typeof body === 'string' ? body : encode(body)}`;
  const made = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${made.toString('base64url')}`;
};
const right = { alg: 'ES256', typ: 'consent-receipt+jwt', kid: 'key-1' };
const faultOf = async (text: string, keys: JSONWebKeySet = jwks) => {
  const proof = await verifyReceipt(text, keys);
  return proof.genuine ? 'genuine' : proof.fault;
};

describe('A signed receipt', () => {
  test('is verified offline with nothing but the key set, also under a key that is no longer the newest', async () => {
    expect(await verifyReceipt(jws, jwks)).toEqual({ genuine: true, kid: 'key-1', receipt });
    expect(await verifyReceipt(`\n ${signReceipt(receipt, olderKey)}\n`, jwks)).toMatchObject({ kid: 'key-0' });
  });

  test('names its algorithm, its type and its key', () => {
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual(right);
  });

  test('no longer verifies when any one character of it is changed', async () => {
    const other = (character: string) => (character === 'A' ? 'B' : 'A');
    // All but the very last, which holds two bits of the signature and four that say nothing.
    for (let place = 0; place < jws.length - 1; place += 7) {
      const tampered = jws.slice(0, place) + other(jws[place]!) + jws.slice(place + 1);
      expect(await faultOf(tampered)).not.toBe('genuine');
    }
    const said = { ...receipt, 'dct:identifier': 'another' };
    expect(await faultOf(`${header}.${encode(said)}.${signature}`)).toBe('bad-signature');
  });

  test('of somebody else is not ours, whatever it calls its key', async () => {
    const stranger = makeKey('key-1');
    expect(await faultOf(signReceipt(receipt, stranger))).toBe('bad-signature');
    expect(await faultOf(signReceipt(receipt, { ...stranger, kid: 'key-9' }))).toBe('unknown-key');
    expect(await faultOf(jws, { keys: [] })).toBe('unknown-key');
    expect(await faultOf(forge({ alg: 'ES256', typ: right.typ }, payload))).toBe('unknown-key');
  });

  test('brings no key of its own: jwk, jku and x5c in its header are not looked at', async () => {
    const stranger = makeKey('key-1');
    const smuggled = { ...right, jwk: stranger.publicJwk, jku: 'https://evil.example/jwks.json', x5c: ['AAAA'] };
    expect(await faultOf(forge(smuggled, payload, stranger.privateKey))).toBe('bad-signature');
  });

  test('cannot do without a signature: alg "none"', async () => {
    const unsigned = `${encode({ ...right, alg: 'none' })}.${payload}`;
    expect(await faultOf(`${unsigned}.`)).toBe('malformed');
    expect(await faultOf(`${unsigned}.${signature}`)).toBe('wrong-algorithm');
  });

  test('cannot be made with what is public: HS256 under the public key', async () => {
    const signed = `${encode({ ...right, alg: 'HS256' })}.${payload}`;
    for (const secret of [key.publicKey.export({ format: 'pem', type: 'spki' }), JSON.stringify(key.publicJwk)]) {
      const mac = createHmac('sha256', secret).update(signed).digest('base64url');
      expect(await faultOf(`${signed}.${mac}`)).toBe('wrong-algorithm');
    }
  });

  test('is not to be mistaken for another thing that was signed under the same key', async () => {
    expect(await faultOf(forge({ ...right, typ: 'at+jwt' }, payload))).toBe('wrong-type');
    expect(await faultOf(forge({ alg: 'ES256', kid: 'key-1' }, payload))).toBe('wrong-type');
    expect(await faultOf(forge(right, { sub: 'crm' }))).toBe('not-a-receipt');
    expect(await faultOf(forge(right, Buffer.from('no JSON').toString('base64url')))).toBe('not-a-receipt');
  });

  test('with a header that must be understood and is not, is refused', async () => {
    expect(await faultOf(forge({ ...right, crit: ['exp'], exp: 1 }, payload))).toBe('malformed');
  });

  test('a key that is not on the right curve, or is twice there, proves nothing', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    expect(await faultOf(jws, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1' }] })).toBe(
      'unknown-key',
    );
    expect(await faultOf(jws, { keys: [key.publicJwk, { ...olderKey.publicJwk, kid: 'key-1' }] })).toBe(
      'keys-unusable',
    );
    expect(await faultOf(jws, {} as JSONWebKeySet)).toBe('keys-unusable');
    expect(await faultOf(jws, { keys: [{ ...key.publicJwk, x: 'AAAA' }] })).not.toBe('genuine');
  });

  test('no text and no key set makes the verifier throw', async () => {
    const hostile = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.tuple(fc.json(), fc.json(), fc.base64String()).map(([a, b, c]) => `${encode(a)}.${encode(b)}.${c}`),
      fc.tuple(fc.constantFrom(header, encode(right)), fc.json()).map(([a, b]) => `${a}.${encode(b)}.${signature}`),
      fc.json().map((body) => forge(right, Buffer.from(body).toString('base64url'))),
    );
    await fc.assert(
      fc.asyncProperty(hostile, fc.oneof(fc.constant(jwks), fc.jsonValue()), async (text, keys) => {
        const proof = await verifyReceipt(text, keys as JSONWebKeySet);
        expect(proof.genuine).toBe(false);
        expect(verifyReceiptText(proof)).toMatch(/^NOT PROVED\n/);
      }),
      { numRuns: 500 },
    );
    expect(await faultOf(`${'A'.repeat(10_000_000)}.A.A`)).toBe('malformed');
  });
});

describe('What was proved is told in words', () => {
  test('who said what, for what, when, in which words, and what the receipt does not prove', async () => {
    const told = verifyReceiptText(await verifyReceipt(jws, jwks));
    expect(told.split('\n')).toEqual([
      'PROVED',
      'The holder of key key-1 (https://ask.example.org) signed the following, and not a character was changed since:',
      '  Controller   Example Tourism Association, Beispielweg 1, 3999 Beispielalp',
      '  Person       018f6f2e-0000-7000-8000-0000000000aa (only the controller can tell who this is)',
      '  Act          said yes to "Linking your social accounts" (profile-linking)',
      '  For          platform facebook',
      '  When         2026-05-04T10:00:00Z, recorded 2026-05-04T10:00:01Z',
      '  How          web-form, told by system crm',
      `  Words shown  version 2 in "en", SHA-256 ${'ab'.repeat(32)}`,
      '  Valid until  2028-05-04T10:00:00Z',
      '  To withdraw  mailto:privacy@example.org',
      '  Authority    FDPIC, https://www.edoeb.admin.ch/',
      '  Receipt      018f6f2e-0000-7000-8000-000000000001',
      'It does not prove that this is still the last word: a later answer has a receipt of its own.',
    ]);
  });

  test('nothing of a receipt is told whose signature does not fit', async () => {
    const told = verifyReceiptText(await verifyReceipt(`${header}.${payload}.${signature.slice(0, -4)}AAAA`, jwks));
    expect(told).toMatch(/^NOT PROVED\nThe signature does not fit/);
    expect(told).not.toContain('Linking');
  });

  test('nothing in a receipt moves the cursor of a terminal or turns the writing round', async () => {
    const record = receipt['dpv:hasRecordOfActivity'];
    const sly = {
      ...receipt,
      'dpv:hasRecordOfActivity': { ...record, 'askfirst:system': 'crm\u001b[2J\u202Ex\nPROVED' },
    };
    const told = verifyReceiptText(await verifyReceipt(signReceipt(sly, key), jwks));
    for (const character of ['\u001b', '\u202E']) expect(told).not.toContain(character);
    expect(told.split('\n').filter((line) => line === 'PROVED')).toHaveLength(1);
  });
});
