import type { Catalogue } from './catalogue.ts';
import { factPaths } from './fact-paths.ts';
import type { Leaf } from './fact-paths.ts';
import type { Facts } from './facts.ts';
import { reasonsOf, saying } from './reasons.ts';
import type { Language, Rule } from './schema.ts';

/**
 * The whole way to a verdict in words, as text for a terminal: outcome, reasons with their sources, obligations, the facts
 * that were looked at, and one line for each rule of the set. Pure: a recorded decision explains itself from its facts and
 * the set of its digest.
 */
export function explain(catalogue: Catalogue, facts: Facts, language: Language): string {
  const say = words[language];
  const verdict = catalogue.decide(facts);
  const ruleOf = new Map(catalogue.rules.map((rule) => [rule.id, rule]));
  const firedOf = new Map(verdict.fired.map((fired) => [fired.id, fired]));
  const purpose = catalogue.purposes.get(facts.purpose.id ?? '')?.title[language] ?? say.unknownPurpose;

  const reasons = reasonsOf(catalogue, facts, verdict, language).flatMap(({ code, effect, admin, person }) => [
    `  ${code} (${say[effect]})`,
    `    ${admin}`,
    `    ${say.forPerson} ${person}`,
    ...(ruleOf.has(code) ? [`    ${say.sources} ${ruleOf.get(code)!.sources.join('; ')}`] : []),
  ]);
  const trace = verdict.trace.map(({ id, effect, applies, fired }) => {
    const outcome = fired ? say.fires : applies ? say.doesNotFire : say.notAboutThis;
    const text = fired ? `: ${saying(catalogue, facts, firedOf.get(id)!, language).admin}` : '';
    return `  ${say[effect].padEnd(say.widest)}  ${id.padEnd(widestId(catalogue.rules))}  ${outcome}${text}`;
  });
  return [
    `${verdict.permit ? say.permitted : say.denied}: ${facts.action}, ${purpose}`,
    `${say.policySet} ${catalogue.digest}`,
    '',
    say.because,
    ...reasons,
    '',
    `${say.obligations} ${verdict.obligations.join(', ') || say.none}`,
    '',
    say.facts,
    ...factLines(facts),
    '',
    say.allRules,
    ...trace,
    '',
  ].join('\n');
}

/** Every fact that is known, a line each. */
export function factLines(facts: Facts): string[] {
  const shown: string[] = [];
  const show = (value: unknown, path: string, leaf: Leaf) => {
    if (value === undefined) return;
    if (leaf.kind === 'objects') {
      (value as object[]).forEach((item, index) => {
        for (const [member, inner] of leaf.members) show(valueAt(item, member), `${path}[${index}].${member}`, inner);
      });
    } else
      shown.push(
        `  ${path}: ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value as string | number | boolean)}`,
      );
  };
  for (const [path, leaf] of factPaths()) show(valueAt(facts, path), path, leaf);
  return shown;
}

const valueAt = (object: object, path: string): unknown =>
  path.split('.').reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], object);

const widestId = (rules: readonly Rule[]): number => Math.max(...rules.map(({ id }) => id.length));

const words = {
  de: {
    permitted: 'Erlaubt',
    denied: 'Abgelehnt',
    unknownPurpose: 'unbekannter Zweck',
    policySet: 'Regelsammlung',
    because: 'Weil',
    forPerson: 'Für die Person:',
    sources: 'Grundlage:',
    obligations: 'Auflagen:',
    none: 'keine',
    facts: 'Tatsachen',
    allRules: 'Alle Regeln',
    permit: 'erlaubt',
    forbid: 'verbietet',
    oblige: 'verpflichtet',
    widest: 12,
    fires: 'trifft zu',
    doesNotFire: 'trifft nicht zu',
    notAboutThis: 'betrifft diese Handlung nicht',
  },
  fr: {
    permitted: 'Autorisé',
    denied: 'Refusé',
    unknownPurpose: 'finalité inconnue',
    policySet: 'Jeu de règles',
    because: 'Parce que',
    forPerson: 'Pour la personne :',
    sources: 'Base :',
    obligations: 'Obligations :',
    none: 'aucune',
    facts: 'Faits',
    allRules: 'Toutes les règles',
    permit: 'autorise',
    forbid: 'interdit',
    oblige: 'oblige',
    widest: 8,
    fires: 's’applique',
    doesNotFire: 'ne s’applique pas',
    notAboutThis: 'ne concerne pas cette action',
  },
  it: {
    permitted: 'Permesso',
    denied: 'Negato',
    unknownPurpose: 'finalità sconosciuta',
    policySet: 'Insieme di regole',
    because: 'Perché',
    forPerson: 'Per la persona:',
    sources: 'Base:',
    obligations: 'Obblighi:',
    none: 'nessuno',
    facts: 'Fatti',
    allRules: 'Tutte le regole',
    permit: 'permette',
    forbid: 'vieta',
    oblige: 'obbliga',
    widest: 8,
    fires: 'si applica',
    doesNotFire: 'non si applica',
    notAboutThis: 'non riguarda questa azione',
  },
  en: {
    permitted: 'Permitted',
    denied: 'Denied',
    unknownPurpose: 'unknown purpose',
    policySet: 'Policy set',
    because: 'Because',
    forPerson: 'For the person:',
    sources: 'Sources:',
    obligations: 'Obligations:',
    none: 'none',
    facts: 'Facts',
    allRules: 'All rules',
    permit: 'permits',
    forbid: 'forbids',
    oblige: 'obliges',
    widest: 7,
    fires: 'fires',
    doesNotFire: 'does not fire',
    notAboutThis: 'is not about this action',
  },
} as const satisfies Record<Language, Record<string, string | number>>;
