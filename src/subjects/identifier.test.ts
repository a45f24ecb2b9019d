import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { loadCatalogue } from '../policies/index.ts';
import { IdentifierMalformed } from './errors.ts';
import { blindIndex, formatIdentifier, parseIdentifier, type Namespaces } from './identifier.ts';

let namespaces: Namespaces;
beforeAll(async () => {
  namespaces = await loadCatalogue(join(import.meta.dirname, '../../policies'));
});

/** What an identifier becomes; `undefined` where it is refused, with the member named and nothing else thrown. */
const normal = (text: string): string | undefined => {
  try {
    return formatIdentifier(parseIdentifier(text, namespaces, 'identifiers.0'));
  } catch (error) {
    expect(error).toBeInstanceOf(IdentifierMalformed);
    expect(error).toMatchObject({ member: 'identifiers.0', message: expect.stringMatching(/^identifiers\.0 must /) });
    return undefined;
  }
};

test.each([
  ['Eva@Example.ORG', 'eva@example.org'],
  ['  eva@example.org ', 'eva@example.org'],
  ['eva.muster+news@mail.example.org', 'eva.muster+news@mail.example.org'],
  ['eva@MÜLLER.example', 'eva@xn--mller-kva.example'],
  ['eva@mu\u0308ller.example', 'eva@xn--mller-kva.example'],
  ['eva@XN--MLLER-KVA.example', 'eva@xn--mller-kva.example'],
  ['eva@日本語。example', 'eva@xn--wgv71a119e.example'],
  ['E\u0301va@example.org', 'éva@example.org'],
])('every spelling of a mailbox is one: %s', (spelling, mailbox) => {
  expect(normal(`email:${spelling}`)).toBe(`email:${mailbox}`);
});

test.each([
  'eva',
  '@example.org',
  'eva@',
  'eva@localhost',
  'eva@@example.org',
  'eva@home@example.org',
  'eva muster@example.org',
  'eva@exam ple.org',
  'eva@example..org',
  'eva@.example.org',
  'eva@-example.org',
  'Eva <eva@example.org>',
  'eva@example.org,adam@example.org',
  `${'e'.repeat(65)}@example.org`,
  `eva@${'e'.repeat(64)}.org`,
  `eva@${'example.'.repeat(32)}org`,
])('what is no mailbox is refused: %s', (text) => {
  expect(normal(`email:${text}`)).toBeUndefined();
});

// The parser of hosts in URLs would take each of these for another domain than the one that is written.
test.each([
  'eva@example.org/inbox',
  'eva@example.org?x',
  'eva@example.org#x',
  'eva@ex%61mple.org',
  'eva@0x7f.1',
  'eva@192.0.2.1',
])('a mailbox is never guessed from what only a URL could mean: %s', (text) => {
  expect(normal(`email:${text}`)).toBeUndefined();
});

test.each([
  '+41 79 123 45 67',
  '+41-79-123.45.67',
  '+41 (0)79 123 45 67',
  '+41\u00a079\u00a0123\u00a045\u00a067',
  ' +41791234567 ',
])('every formatting of a number is one number of E.164: %s', (spelling) => {
  expect(normal(`phone:${spelling}`)).toBe('phone:+41791234567');
});

test.each([
  '079 123 45 67',
  '0041791234567',
  '41791234567',
  '+4179',
  '+41791234567891234',
  '+999123456789',
  '+43000000000000',
  '+41 79 CALL EVA',
  'call +41791234567',
  '+41791234567 or +41791234568',
])('what is no international number is refused: %s', (text) => {
  expect(normal(`phone:${text}`)).toBeUndefined();
});

// Two colleagues behind one switchboard are two people; without their extensions they would be one.
test.each(['+41443334455 ext. 12', '+41443334455;ext=12', '+41443334455,,12', '+41443334455x12'])(
  'a number with an extension is refused rather than cut off: %s',
  (text) => {
    expect(normal(`phone:${text}`)).toBeUndefined();
  },
);

const accounts: Record<string, { ids: string[]; handles: string[] }> = {
  facebook: { ids: ['1029384756', '10203040506070809'], handles: ['eva.muster', 'eva.muster.1', '1234'] },
  instagram: { ids: ['17841400000000123'], handles: ['eva_muster', 'eva.1995'] },
  linkedin: { ids: ['urn:li:person:-f_Ut43FoQ'], handles: ['eva-muster-1a2b3c', '-f_Ut43FoQ', 'in/eva-muster'] },
  youtube: { ids: ['UCx8Zk3Vq1pRb7TnWm4YdL2A'], handles: ['evamuster', 'UCeva', 'c/evamuster'] },
  x: { ids: ['2244994945', '12'], handles: ['eva', 'eva_1995', '0123'] },
  mastodon: {
    ids: ['https://mastodon.example/users/eva', 'https://mastodon.example/ap/users/116'],
    handles: ['eva', 'https://mastodon.example/@eva', 'http://mastodon.example/users/eva', 'eva@mastodon.example'],
  },
  tiktok: { ids: ['723f24d7-0000-40f8-a2b6-cb8464cd23b4'], handles: ['eva.muster', 'eva_muster_goes_hiking'] },
  holidaycheck: { ids: ['0f0e0d0c-0b0a-3908-8706-050403020100'], handles: ['Eva', 'evamuster81'] },
  tripadvisor: { ids: ['00112233445566778899AABBCCDDEEFF'], handles: ['EvaM', 'evamuster81'] },
  forum: { ids: ['4711'], handles: ['eva', 'eva4711', '0'] },
  blog: { ids: ['815'], handles: ['eva', 'Eva Muster'] },
};

test('an account is its immutable id, as written, on every platform; the custom form of a name there is refused', () => {
  expect(Object.keys(accounts).toSorted()).toEqual([...namespaces.platforms.keys()].toSorted());
  for (const [platform, { accountId }] of namespaces.platforms) {
    const { ids, handles } = accounts[platform]!;
    for (const id of [...ids, accountId.example]) {
      expect(parseIdentifier(`${platform}:${id}`, namespaces, 'm')).toEqual({
        namespace: platform,
        value: id,
        handle: false,
      });
      expect(normal(`${platform}:${id} ${id}`), `${platform}: two ids`).toBeUndefined();
    }
    for (const handle of handles) expect(normal(`${platform}:${handle}`), `${platform}:${handle}`).toBeUndefined();
  }
});

test('an id that tells letters apart keeps them', () => {
  expect(normal('youtube:UCx8Zk3Vq1pRb7TnWm4YdL2A')).not.toBe(normal('youtube:UCX8ZK3VQ1PRB7TNWM4YDL2A'));
});

test.each([
  ['x:@Eva', 'x:@eva'],
  ['x:@ＥＶＡ', 'x:@eva'],
  ['instagram:@ﬁona', 'instagram:@fiona'],
  ['mastodon:@Eva@Mastodon.example', 'mastodon:@eva@mastodon.example'],
])('a handle is compared without case and width: %s', (spelling, handle) => {
  expect(normal(spelling)).toBe(handle);
  expect(parseIdentifier(spelling, namespaces, 'm').handle).toBe(true);
});

test.each(['x:@', 'x:@ eva', 'x:@eva muster', 'x:@eva\u3000muster'])(
  'a handle has a name and no spaces: %s',
  (text) => {
    expect(normal(text)).toBeUndefined();
  },
);

test('an id of a system is that system’s own business and kept as it is', () => {
  for (const id of ['4711', 'Ab-4711', 'a:b', 'Kunde 4711', 'Ünal/7', '@eva'])
    expect(parseIdentifier(`crm:${id}`, namespaces, 'm')).toEqual({ namespace: 'crm', value: id, handle: false });
});

test.each([
  '',
  'eva',
  ':4711',
  '4711',
  'crm',
  'crm:',
  'crm:   ',
  'unknown:4711',
  'CRM:4711',
  ' crm:4711',
  '__proto__:x',
])('what names no namespace of the policy set, or nothing in it, is refused: "%s"', (text) => {
  expect(normal(text)).toBeUndefined();
});

test.each(['email', 'phone', 'x', 'crm'])('no unprintable character gets into an identifier of %s', (namespace) => {
  const good = { email: 'eva@example.org', phone: '+41791234567', x: '@eva', crm: '4711' }[namespace]!;
  expect(normal(`${namespace}:${good}`)).toBeDefined();
  // NUL, newline, escape, soft hyphen, zero-width space, right-to-left override, half a surrogate pair, private use
  for (const character of ['\0', '\n', '\u001b', '\u00ad', '\u200b', '\u202e', '\ud83d', '\ue000'])
    expect(
      normal(`${namespace}:${good.slice(0, 2)}${character}${good.slice(2)}`),
      JSON.stringify(character),
    ).toBeUndefined();
});

test('a value has 300 characters at most', () => {
  expect(normal(`crm:${'4'.repeat(300)}`)).toBeDefined();
  expect(normal(`crm:${'4'.repeat(301)}`)).toBeUndefined();
  expect(normal(`x:@${'e'.repeat(300)}`)).toBeUndefined();
});

const spellings = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('email', 'phone', 'crm', 'unknown', 'x', 'facebook', 'mastodon', 'tiktok'),
      fc.string({ unit: 'binary' }),
    )
    .map(([namespace, value]) => `${namespace}:${value}`),
  fc
    .tuple(fc.constantFrom('x:@', 'email:', 'crm:'), fc.string({ unit: 'grapheme', minLength: 1 }))
    .map(([start, rest]) => start + rest),
  fc.emailAddress().map((mailbox) => `email:${mailbox}`),
  fc.emailAddress().map((mailbox) => `email:${mailbox.toUpperCase()}`),
  fc.bigInt(10_000_000_000n, 999_999_999_999_999n).map((digits) => `phone:+${digits}`),
);

test('a normal form is its own normal form, so that what was stored is found again', () => {
  let accepted = 0;
  fc.assert(
    fc.property(spellings, (spelling) => {
      const once = normal(spelling);
      if (once === undefined) return;
      accepted++;
      expect(normal(once)).toBe(once);
    }),
    { numRuns: 5_000 },
  );
  expect(accepted).toBeGreaterThan(1_000);
});

test('a refusal never repeats the value, for it goes into answers and logs', () => {
  let refused = 0;
  fc.assert(
    fc.property(
      fc.constantFrom('', 'email:', 'phone:', 'x:', 'x:@', 'linkedin:', 'unknown:', 'crm:'),
      fc.string({ minLength: 8, unit: 'binary' }),
      (start, value) => {
        try {
          parseIdentifier(start + value, namespaces, 'm');
        } catch (error) {
          refused++;
          expect((error as Error).message).not.toContain(value);
          expect(JSON.stringify(error)).not.toContain(JSON.stringify(value).slice(1, -1));
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(refused).toBeGreaterThan(1_000);
});

test('equal identifiers have one blind index, and under another secret or namespace another', () => {
  const secret = Buffer.alloc(32, 1);
  const index = (text: string, key = secret) => blindIndex(key, parseIdentifier(text, namespaces, 'm'));
  expect(index('email:Eva@MÜLLER.example')).toBe(index('email:eva@xn--mller-kva.example'));
  expect(index('phone:+41 79 123 45 67')).toBe(index('phone:+41791234567'));
  expect(index('x:@Eva')).toBe(index('x:@eva'));
  expect(index('email:eva@example.org')).toMatch(/^[0-9a-f]{64}$/);
  expect(index('email:eva@example.org')).not.toBe(index('email:eva@example.org', Buffer.alloc(32, 2)));
  expect(index('forum:4711')).not.toBe(index('blog:4711'));
  expect(index('forum:4711')).not.toBe(index('forum:@4711'));
});
