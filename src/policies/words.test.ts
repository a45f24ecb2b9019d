import { fileURLToPath } from 'node:url';
import { readFile, readdir } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { smallPolicies, withPolicies } from '../../test/support/small-policies.ts';
import type { Catalogue } from './catalogue.ts';
import { checkPolicies } from './check.ts';
import { explain } from './explain.ts';
import { jsonSchemas } from './json-schemas.ts';
import { loadCatalogue } from './load.ts';
import { reasonsOf } from './reasons.ts';
import { languages } from './schema.ts';

const folder = new URL('../../policies/', import.meta.url);
let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue(fileURLToPath(folder));
});

const playedCase = (name: string) => {
  const found = catalogue.cases.find((played) => played.case.name === name);
  expect(found, `no case "${name}" in the default policies`).toBeDefined();
  return found!;
};

describe('reasons', () => {
  test.each(languages)('are given for every case in %s, with every placeholder filled', (language) => {
    for (const { facts, verdict } of catalogue.cases) {
      const reasons = reasonsOf(catalogue, facts, verdict, language);
      expect(reasons.length).toBeGreaterThan(0);
      for (const { admin, person } of reasons) {
        expect(admin).not.toMatch(/[{}]|: [.,]|undefined/);
        expect(person).not.toMatch(/[{}]|: [.,]|undefined/);
      }
    }
  });

  test('of a deny are the rules that forbid, not those that would have permitted', () => {
    const { facts, verdict } = playedCase('a nickname on a forum and a general yes');
    expect(reasonsOf(catalogue, facts, verdict, 'en').map(({ code }) => code)).toEqual(['nobody-is-unmasked']);
  });

  test('name the hop that is missing, and no other', () => {
    const { facts, verdict } = playedCase('a chain with one hop that was not asked');
    const [reason] = reasonsOf(catalogue, facts, verdict, 'en');
    expect(reason).toMatchObject({
      code: 'every-hop-is-asked',
      person: 'Somebody wanted to get from one of your accounts to the next. For these you have not said yes: X.',
    });
    expect(verdict.fired.find(({ id }) => id === 'every-hop-is-asked')!.hops).toEqual([1]);
  });

  test('exist even where no rule spoke', () => {
    const { facts, verdict } = playedCase('informed is not enough where the basis is consent');
    expect(verdict.fired).toEqual([]);
    expect(reasonsOf(catalogue, facts, verdict, 'fr')).toMatchObject([{ code: 'nothing-permits', effect: 'forbid' }]);
  });
});

describe('explain', () => {
  test.each(languages)('names every rule, the reasons and the facts in %s', (language) => {
    const { facts, verdict } = playedCase('a probable match');
    const text = explain(catalogue, facts, language);
    for (const { id } of catalogue.rules) expect(text).toContain(id);
    for (const { person } of reasonsOf(catalogue, facts, verdict, language)) expect(text).toContain(person);
    expect(text).toContain('request.match.confidence: 0.97');
    expect(text).toContain('human-review');
    expect(text).toContain(catalogue.digest);
  });

  test('tells a rule that did not fire from one that is not about the action', () => {
    const text = explain(catalogue, playedCase('a proved account and a yes').facts, 'en');
    expect(text).toMatch(/^Permitted: link, /);
    expect(text).toMatch(/permits +proved-account +fires: The person said yes/);
    expect(text).toMatch(/forbids +shared-account +does not fire/);
    expect(text).toMatch(/forbids +contact-as-chosen +is not about this action/);
  });

  test('shows each hop of a chain', () => {
    const text = explain(catalogue, playedCase('a chain with one hop that was not asked').facts, 'en');
    expect(text).toContain('chain[1].consent: nothing-recorded');
  });
});

describe('check', () => {
  test('prints the rules against the cases', async () => {
    const { ok, text } = await withPolicies(smallPolicies, (small) => checkPolicies(small, '2026-06-01'));
    expect(ok).toBe(true);
    expect(text).toContain('3 rules, 3 cases');
    const lines = text.split('\n');
    // Sorted by name: a no on the way, a program writes, a yes.
    expect(lines).toContain('bots   ●');
    expect(lines).toContain('no    ●··');
    expect(lines).toContain('yes   ●●●');
    expect(lines).toContain('      DPP');
    expect(lines).toContain('  2 permit a program writes (disclose-bot)');
    expect(text).not.toContain('review');
  });

  test('points out an assessment whose review is overdue, and loads nevertheless', async () => {
    const { ok, text } = await withPolicies(smallPolicies, (small) => checkPolicies(small, '2027-01-02'));
    expect(ok).toBe(true);
    expect(text).toContain('newsletter: its assessment was to be reviewed by 2027-01-01');
  });

  test('prints the problems of a folder that does not load', async () => {
    const broken = { ...smallPolicies, 'systems.yaml': 'systems: 5\n' };
    const { ok, text } = await withPolicies(broken, (small) => checkPolicies(small, '2026-06-01'));
    expect(ok).toBe(false);
    expect(text).toBe('systems.yaml:1: systems: expected a list, not 5\n1 problem(s); this folder does not load\n');
  });
});

describe('JSON Schemas for editors', () => {
  test('on disk are those of the code (write them with "node src/policies/write-schemas.ts")', async () => {
    const onDisk = (await readdir(new URL('schema/', folder))).sort();
    expect(onDisk).toEqual([...jsonSchemas().keys()].sort());
    for (const [name, schema] of jsonSchemas()) {
      expect(JSON.parse(await readFile(new URL(`schema/${name}`, folder), 'utf8'))).toEqual(schema);
    }
  });

  test('are named in the first line of every policy file', async () => {
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      const text = await readFile(new URL(file, folder), 'utf8');
      const [, schema] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
      expect(schema, file).toBeDefined();
      const path = new URL(schema!, new URL(file, folder)).pathname.slice(new URL('schema/', folder).pathname.length);
      expect([...jsonSchemas().keys()], file).toContain(path);
    }
  });
});
