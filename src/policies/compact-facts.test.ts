import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compactFacts, expandFacts } from './compact-facts.ts';
import { factsSchema } from './facts.ts';
import { loadCatalogue } from './load.ts';

test('what was recorded before facts knew of dialogue, reviews and retired purposes is read as if nothing had been said of them', () => {
  const recorded = {
    action: 'contact',
    resource: 'customer',
    controller: { minimumCellSize: 10 },
    purpose: { id: 'newsletter', legalBasis: 'consent' },
    request: { channel: 'email' },
    customer: { consent: 'valid-yes' },
    identity: { named: false, known: false },
  };
  const facts = expandFacts(recorded);
  expect(factsSchema.parse(facts)).toMatchObject({
    customer: { dialogue: 'open', mayBeAsked: true },
    identity: { dialogue: 'open', mayBeAsked: true },
    purpose: { retired: false },
    review: 'none',
  });
  expect(compactFacts(facts)).toEqual(recorded);
});

test('what was recorded of a decision is read back exactly, for every case of the default pack', async () => {
  const { cases } = await loadCatalogue(join(import.meta.dirname, '../../policies'));
  expect(cases.length).toBeGreaterThan(100);
  for (const { facts } of cases) {
    const stored = JSON.parse(JSON.stringify(compactFacts(facts)));
    expect(expandFacts(stored)).toEqual(JSON.parse(JSON.stringify(facts)));
    expect(factsSchema.safeParse(expandFacts(stored)).success).toBe(true);
  }
});
