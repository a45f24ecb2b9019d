import canonicalize from 'canonicalize';
import { readCatalogue, type Catalogue } from '../../src/policies/index.ts';

type Content = {
  rules: Record<string, unknown>[];
  cases: { name: string; facts: Record<string, any>; fires: string[]; expect: string; obligations?: string[] }[];
  purposes: ({ id: string; notices: { version: number; corrects?: number[] }[] } & Record<string, unknown>)[];
};

const byName = (a: { id?: unknown; name?: unknown }, b: typeof a) =>
  String(a.id ?? a.name) < String(b.id ?? b.name) ? -1 : 1;

const changed = (catalogue: Catalogue, change: (content: Content) => void): Catalogue => {
  const content = JSON.parse(catalogue.json) as Content;
  change(content);
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

type ChangedPurpose = Content['purposes'][number];
const changedPurpose = (catalogue: Catalogue, purposeId: string, change: (purpose: ChangedPurpose) => void) => {
  const changePurpose = ({ purposes }: Content) => change(purposes.find(({ id }) => id === purposeId)!);
  try {
    return changed(catalogue, changePurpose);
  } catch (error) {
    // Cases of the pack that are about this purpose come out otherwise now, as the error says; what they then test is nobody's matter here.
    const corrected = String(error).matchAll(
      /cases\[(\d+)\]\.\w+: case ".*?" (fires|obliges|comes out as) (?:\[(.*?)\]|(\w+))/g,
    );
    return changed(catalogue, (content) => {
      changePurpose(content);
      content.cases.sort(byName);
      for (const [, index, what, list, word] of corrected) {
        const item = content.cases[Number(index)]!;
        const items = list ? list.split(', ') : [];
        if (what === 'comes out as') item.expect = word!;
        else if (what === 'fires') item.fires = items;
        else item.obligations = items;
      }
    });
  }
};

/** The same policy set after the words about a purpose turned out to be wrong: its notice has a next version that says so. */
export const withCorrectedNotice = (catalogue: Catalogue, purposeId: string): Catalogue =>
  changedPurpose(catalogue, purposeId, ({ notices }) => {
    const wrong = notices.map(({ version }) => version);
    notices.push({ ...notices.at(-1)!, version: notices.length + 1, corrects: wrong });
  });

/** The same policy set in which a purpose rests on consent from now on. */
export const onConsent = (catalogue: Catalogue, purposeId: string): Catalogue =>
  changedPurpose(catalogue, purposeId, (purpose) => {
    purpose['legalBasis'] = 'consent';
    delete purpose['balancingTest'];
  });

/** The same policy set in which a purpose is in use no longer. */
export const withRetired = (catalogue: Catalogue, purposeId: string): Catalogue =>
  changedPurpose(catalogue, purposeId, (purpose) => {
    purpose['retired'] = '2010-01-01';
  });

/** The same policy set in which the signal of a browser ends a purpose. */
export const endedByGpc = (catalogue: Catalogue, purposeId: string): Catalogue =>
  changedPurpose(catalogue, purposeId, (purpose) => {
    purpose['endedByGpc'] = true;
  });
