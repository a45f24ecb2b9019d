import type { Flaw } from './compile-condition.ts';
import type { Collection, Content } from './content.ts';
import { didYouMean } from './did-you-mean.ts';

/** Every word of a policy set that means something defined elsewhere in it, by what it refers to. */
export function referencesOf(content: Content): ReadonlyMap<string, ReadonlySet<string>> {
  const { purposes } = content;
  const platforms = content.platforms.map(({ id }) => id);
  const systems = content.systems.map(({ id }) => id);
  const recipients = purposes.flatMap(({ values }) => values.recipient?.map(({ id }) => id) ?? []);
  const valuesOf = (dimension: 'channel' | 'topic' | 'form') =>
    new Set(purposes.flatMap(({ values }) => values[dimension] ?? []));
  return new Map([
    ['purposes', new Set(purposes.map(({ id }) => id))],
    ['platforms', new Set(platforms)],
    ['channels', valuesOf('channel')],
    ['topics', valuesOf('topic')],
    ['forms', valuesOf('form')],
    ['recipients', new Set(recipients)],
    ['namespaces', new Set(['email', 'phone', ...platforms, ...systems])],
  ]);
}

/** What no single file can show: words without a definition, definitions without use, two things of one name. */
export function crossCheck(content: Content): Flaw[] {
  const flaws: Flaw[] = [];
  const references = referencesOf(content);
  const refuse = (path: Flaw['path'], message: string) => flaws.push({ path, message });
  const mustKnow = (path: Flaw['path'], word: string, known: Iterable<string>, what: string) => {
    const words = new Set(known);
    if (!words.has(word)) refuse(path, `no ${what} "${word}"; ${didYouMean(word, words)}`);
  };

  for (const collection of ['jurisdictions', 'platforms', 'systems', 'purposes', 'rules'] as const) {
    refuseDoubles(content, collection, (item) => (item as { id: string }).id, 'id', refuse);
  }
  refuseDoubles(content, 'cases', (item) => (item as { name: string }).name, 'name', refuse);

  const { controller, platforms, systems, purposes } = content;
  const jurisdictions = content.jurisdictions.map(({ id }) => id);
  mustKnow(['controller', 'jurisdiction'], controller.jurisdiction, jurisdictions, 'jurisdiction');

  const platformIds = references.get('platforms')!;
  const systemIds = new Set(systems.map(({ id }) => id));
  const purposeIds = references.get('purposes')!;
  const purposeOf = new Map(purposes.map((purpose) => [purpose.id, purpose]));
  platforms.forEach(({ id }, index) => {
    if (systemIds.has(id) || id === 'email' || id === 'phone') {
      refuse(['platforms', index, 'id'], `expected an id of its own: "${id}" is the namespace of something else`);
    }
  });

  const held = new Set(systems.flatMap(({ holds }) => holds));
  const used = new Set(purposes.flatMap(({ dataCategories }) => dataCategories));
  systems.forEach((system, index) => {
    const at = ['systems', index];
    if (system.id === 'email' || system.id === 'phone') {
      refuse([...at, 'id'], `expected another id: "${system.id}" is a namespace`);
    }
    system.holds.forEach((category, i) =>
      // Data held for no purpose offends against purpose limitation (GDPR Art. 5(1)(b)).
      mustKnow([...at, 'holds', i], category, used, 'purpose with the data category'),
    );
    system.identifiers.forEach((namespace, i) =>
      mustKnow([...at, 'identifiers', i], namespace, references.get('namespaces')!, 'namespace'),
    );
    system.may.forEach((grant, i) => {
      grant.purposes.forEach((id, j) => mustKnow([...at, 'may', i, 'purposes', j], id, purposeIds, 'purpose'));
      const granted = grant.purposes.flatMap((id) => purposeOf.get(id) ?? []);
      if (granted.length < grant.purposes.length) return;
      const served = new Set(granted.flatMap(({ actions }) => actions));
      grant.actions.forEach((action, j) =>
        mustKnow([...at, 'may', i, 'actions', j], action, served, 'purpose beside it that is for the action'),
      );
      granted.forEach((purpose, j) => {
        if (purpose.actions.some((action) => grant.actions.includes(action))) return;
        refuse(
          [...at, 'may', i, 'purposes', j],
          `expected a purpose for one of the actions beside it: "${purpose.id}" is for ${purpose.actions.join(', ')}`,
        );
      });
    });
  });

  const recipients = new Set([...references.get('recipients')!, ...platformIds, ...systemIds]);
  purposes.forEach((purpose, index) => {
    const at = ['purposes', index];
    purpose.dataCategories.forEach((category, i) =>
      mustKnow([...at, 'dataCategories', i], category, held, 'system holding the data category'),
    );
    purpose.recipients.forEach((id, i) => mustKnow([...at, 'recipients', i], id, recipients, 'recipient'));
    purpose.compatiblePurposes.forEach((id, i) =>
      mustKnow([...at, 'compatiblePurposes', i], id, purposeIds, 'purpose'),
    );
  });

  const ruleIds = content.rules.map(({ id }) => id);
  content.rules.forEach((rule, index) => {
    if (rule.effect === 'oblige' && rule.obligations.length === 0) {
      refuse(['rules', index, 'obligations'], 'expected at least one, because the effect is "oblige"');
    }
  });
  content.cases.forEach(({ fires }, index) =>
    fires.forEach((id, i) => mustKnow(['cases', index, 'fires', i], id, ruleIds, 'rule')),
  );
  return flaws;
}

function refuseDoubles(
  content: Content,
  collection: Collection,
  nameOf: (item: unknown) => string,
  member: string,
  refuse: (path: Flaw['path'], message: string) => void,
): void {
  const seen = new Set<string>();
  content[collection].forEach((item, index) => {
    const name = nameOf(item);
    if (seen.has(name)) refuse([collection, index, member], `expected a ${member} of its own: "${name}" is taken`);
    seen.add(name);
  });
}
