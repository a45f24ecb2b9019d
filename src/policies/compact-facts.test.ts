import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compactFacts, expandFacts } from './compact-facts.ts';
import { factsSchema } from './facts.ts';
import { loadCatalogue } from './load.ts';

test('what was recorded of a decision is read back exactly, for every case of the default pack', async () => {
  const { cases } = await loadCatalogue(join(import.meta.dirname, '../../policies'));
  expect(cases.length).toBeGreaterThan(100);
  for (const { facts } of cases) {
    const stored = JSON.parse(JSON.stringify(compactFacts(facts)));
    expect(expandFacts(stored)).toEqual(JSON.parse(JSON.stringify(facts)));
    expect(factsSchema.safeParse(expandFacts(stored)).success).toBe(true);
  }
});
