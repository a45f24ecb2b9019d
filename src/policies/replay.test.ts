import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { beforeAll, expect, test } from 'vitest';
import { readCatalogue, type Catalogue } from './catalogue.ts';
import type { Content } from './content.ts';
import { loadCatalogue } from './load.ts';
import { replay } from './replay.ts';
import type { Purpose } from './schema.ts';

let pack: Catalogue;
beforeAll(async () => {
  pack = await loadCatalogue(join(import.meta.dirname, '../../policies'));
});

/** The pack with another purpose under the same id; its cases are the pack's, so what they say must not change. */
const withPurpose = (id: string, change: (purpose: Purpose) => Partial<Purpose>): Catalogue => {
  const content = JSON.parse(pack.json) as Content;
  const purposes = content.purposes.map((one) => (one.id === id ? { ...one, ...change(one) } : one));
  return readCatalogue(canonicalize({ ...content, purposes })!);
};

const recorded = (name: string) => {
  const { facts, verdict } = pack.cases.find((played) => played.case.name === name)!;
  return { system: 'newsletter', purpose: facts.purpose.id!, permit: verdict.permit, facts };
};
const newsletter = 'writing a newsletter under the newsletter';
const nextNotice = (purpose: Purpose, more: Partial<Purpose['notices'][number]> = {}) => [
  ...purpose.notices,
  { ...purpose.notices.at(-1)!, version: purpose.notices.at(-1)!.version + 1, ...more },
];

test('a purpose that is retired denies what it permitted', () => {
  const candidate = withPurpose('newsletter', () => ({ retired: '2026-06-01' }));
  const replayed = replay(recorded(newsletter), pack, candidate, 'en');
  expect(replayed).toMatchObject({ kind: 'permit-to-deny', rules: ['purpose-retired'] });
});

test('a new notice that asks anew, or corrects the old one, denies what rests on a yes to the old one', () => {
  for (const change of [
    (purpose: Purpose) => ({ notices: nextNotice(purpose), renewOnNewNotice: true }),
    (purpose: Purpose) => ({ notices: nextNotice(purpose, { corrects: [1] }) }),
  ])
    expect(replay(recorded(newsletter), pack, withPurpose('newsletter', change), 'en')).toMatchObject({
      kind: 'permit-to-deny',
      rules: ['agreement-outdated', 'contact-as-chosen'],
    });
  const better = withPurpose('newsletter', (purpose) => ({ notices: nextNotice(purpose) }));
  expect(replay(recorded(newsletter), pack, better, 'en')).toEqual({ kind: 'same' });
});

test('where one of two notices is corrected, it cannot be known which somebody answered', () => {
  const two = withPurpose('newsletter', (purpose) => ({ notices: nextNotice(purpose) }));
  const corrected = withPurpose('newsletter', (purpose) => ({
    notices: nextNotice({ ...purpose, notices: nextNotice(purpose) }, { corrects: [1] }),
  }));
  expect(replay(recorded(newsletter), two, corrected, 'en')).toEqual({ kind: 'unsure' });
});

test('what was unknown to the asking system then is not guessed now', () => {
  const { facts } = recorded(newsletter);
  const denied = {
    ...recorded(newsletter),
    system: 'crm',
    permit: false,
    facts: { ...facts, system: { granted: false } },
  };
  const content = JSON.parse(pack.json) as Content;
  content.systems.find(({ id }) => id === 'crm')!.may.push({ actions: ['contact'], purposes: ['newsletter'] });
  const granting = readCatalogue(canonicalize(content)!);
  expect(replay(denied, pack, granting, 'en')).toEqual({ kind: 'not-looked-up' });
  expect(replay(denied, pack, pack, 'en')).toEqual({ kind: 'same' });
});

test('the set that decided decides the same, for every case of the pack that its own purposes can bring about', () => {
  let played = 0;
  for (const { facts, verdict } of pack.cases) {
    const purpose = pack.purposes.get(facts.purpose.id ?? '');
    const isOfThisSet =
      purpose?.legalBasis === facts.purpose.legalBasis &&
      purpose?.specialCategories === facts.purpose.specialCategories &&
      !facts.purpose.retired;
    const system = [...pack.systems.values()].find(({ may }) =>
      may.some((grant) => grant.actions.includes(facts.action) && grant.purposes.includes(facts.purpose.id!)),
    );
    const scoped = purpose?.dimensions.every(
      (dimension) => dimension === 'platform' || facts.request[dimension] !== undefined,
    );
    if (!isOfThisSet || !system || !scoped) continue;
    played += 1;
    const replayed = replay(
      { system: system.id, purpose: purpose.id, permit: verdict.permit, facts },
      pack,
      pack,
      'en',
    );
    expect(replayed, JSON.stringify(facts)).toEqual({ kind: 'same' });
  }
  expect(played).toBeGreaterThan(50);
});
