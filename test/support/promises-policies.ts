import canonicalize from 'canonicalize';
import { readCatalogue, type Catalogue } from '../../src/policies/index.ts';

type Content = {
  rules: Record<string, unknown>[];
  cases: { name: string; facts: Record<string, any>; fires: string[]; expect: string }[];
  purposes: ({ id: string; notices: { version: number }[] } & Record<string, unknown>)[];
};

const changed = (catalogue: Catalogue, change: (content: Content) => void): Catalogue => {
  const content = JSON.parse(catalogue.json) as Content;
  change(content);
  const byName = (a: { id?: unknown; name?: unknown }, b: typeof a) =>
    String(a.id ?? a.name) < String(b.id ?? b.name) ? -1 : 1;
  content.rules.sort(byName);
  content.cases.sort(byName);
  return readCatalogue(canonicalize(content)!);
};

const texts = { de: 'Nein.', fr: 'Non.', it: 'No.', en: 'No.' };

/** The same policy set with one more rule, which forbids to link accounts of a platform. */
export const forbidLinksTo = (catalogue: Catalogue, platform: string): Catalogue =>
  changed(catalogue, ({ rules, cases }) => {
    rules.push({
      id: 'test-no-links-there',
      effect: 'forbid',
      actions: ['link'],
      when: { 'identity.platform': platform },
      because: { admin: texts, person: texts },
      sources: ['a test'],
      obligations: [],
    });
    const there = catalogue.cases.filter(
      ({ facts }) => facts.action === 'link' && facts.identity.platform === platform,
    );
    const concerned = new Set(there.map((played) => played.case.name));
    for (const item of cases)
      if (concerned.has(item.name)) {
        item.fires.push('test-no-links-there');
        item.expect = 'deny';
      }
    cases.push({
      name: 'test: an account there',
      facts: { identity: { platform } },
      expect: 'deny',
      fires: ['test-no-links-there', 'proved-account'],
    });
  });

/** The same policy set after the words about a purpose have changed: its notice has a next version. */
export const withNewNotice = (catalogue: Catalogue, purposeId: string): Catalogue =>
  changed(catalogue, ({ purposes }) => {
    const { notices } = purposes.find(({ id }) => id === purposeId)!;
    notices.push({ ...notices.at(-1)!, version: notices.length + 1 });
  });
