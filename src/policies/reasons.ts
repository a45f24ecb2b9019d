import type { Catalogue } from './catalogue.ts';
import type { Flaw } from './compile-condition.ts';
import type { Fired, Verdict } from './decide.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Facts } from './facts.ts';
import { languages } from './schema.ts';
import type { Dimension, Language, Rule, Texts } from './schema.ts';

/** Why a decision came out as it did: `code` is the rule's id; the texts are for the colleague and for the person. */
export type Reason = { code: string; effect: Rule['effect']; admin: string; person: string };

/** The words that a `because` may hold in braces. None of them can be personal data, because facts hold none. */
const placeholders = ['purpose', 'platform', 'hops', 'recipient', 'dimensions', 'minimumCellSize'] as const;
type Placeholder = (typeof placeholders)[number];

/**
 * The rules that decided, in words: on a deny those that forbid, on a permit those that permit and oblige. A deny because
 * nothing permits has the code `nothing-permits`, so there is always a reason.
 */
export function reasonsOf(catalogue: Catalogue, facts: Facts, verdict: Verdict, language: Language): Reason[] {
  const decisive = verdict.fired.filter(({ effect }) => (effect === 'forbid') !== verdict.permit);
  const reasons = decisive.map((fired) => {
    const { admin, person } = saying(catalogue, facts, fired, language);
    return { code: fired.id, effect: fired.effect, admin, person };
  });
  if (verdict.permit || reasons.some(({ effect }) => effect === 'forbid')) return reasons;
  return [
    { code: 'nothing-permits', effect: 'forbid', admin: nothing.admin[language], person: nothing.person[language] },
  ];
}

/** The words of one fired rule with its placeholders filled. */
export function saying(
  catalogue: Catalogue,
  facts: Facts,
  fired: Fired,
  language: Language,
): { admin: string; person: string } {
  const fill = (text: string) =>
    text.replaceAll(/\{(\w+)\}/g, (_, name: string) => word(catalogue, facts, fired, language, name as Placeholder));
  return { admin: fill(fired.because.admin[language]), person: fill(fired.because.person[language]) };
}

function word(catalogue: Catalogue, facts: Facts, fired: Fired, language: Language, name: Placeholder): string {
  switch (name) {
    case 'purpose':
      return catalogue.purposes.get(facts.purpose.id ?? '')?.title[language] ?? unnamed.purpose[language];
    case 'platform':
      return catalogue.platforms.get(facts.identity.platform ?? '')?.name ?? unnamed.platform[language];
    case 'hops':
      return (fired.hops ?? []).map((hop) => namespace(catalogue, facts, hop, language)).join(', ');
    case 'recipient': {
      const recipients = catalogue.purposes.get(facts.purpose.id ?? '')?.values.recipient ?? [];
      const recipient = recipients.find(({ id }) => id === facts.request.recipient);
      return recipient?.name[language] ?? unnamed.recipient[language];
    }
    case 'dimensions':
      return [...facts.purpose.missingDimensions, ...facts.purpose.unknownValues]
        .map((dimension) => dimensionNames[dimension][language])
        .join(', ');
    case 'minimumCellSize':
      return String(facts.controller.minimumCellSize);
  }
}

function namespace(catalogue: Catalogue, facts: Facts, hop: number, language: Language): string {
  const name = facts.chain[hop]!.namespace;
  if (name === 'email' || name === 'phone') return addresses[name][language];
  return catalogue.platforms.get(name)?.name ?? catalogue.systems.get(name)?.name[language] ?? name;
}

/** Placeholders that do not exist, in every text of a rule. */
export function checkPlaceholders({ because }: Rule): Flaw[] {
  return (['admin', 'person'] as const).flatMap((reader) =>
    languages.flatMap((language) =>
      [...because[reader][language].matchAll(/\{([^}]*)\}/g)]
        .map(([, name]) => name!)
        .filter((name) => !(placeholders as readonly string[]).includes(name))
        .map((name) => ({
          path: ['because', reader, language],
          message: `unknown placeholder "{${name}}"; ${didYouMean(name, placeholders)}`,
        })),
    ),
  );
}

const unnamed: Record<'purpose' | 'platform' | 'recipient', Texts> = {
  purpose: { de: 'dieser Zweck', fr: 'cette finalité', it: 'questa finalità', en: 'this purpose' },
  platform: { de: 'diese Plattform', fr: 'cette plateforme', it: 'questa piattaforma', en: 'this platform' },
  recipient: { de: 'dieser Empfänger', fr: 'ce destinataire', it: 'questo destinatario', en: 'this recipient' },
};

const addresses: Record<'email' | 'phone', Texts> = {
  email: { de: 'E-Mail', fr: 'e-mail', it: 'e-mail', en: 'e-mail' },
  phone: { de: 'Telefon', fr: 'téléphone', it: 'telefono', en: 'phone' },
};

const dimensionNames: Record<Dimension, Texts> = {
  platform: { de: 'Plattform', fr: 'plateforme', it: 'piattaforma', en: 'platform' },
  channel: { de: 'Kanal', fr: 'canal', it: 'canale', en: 'channel' },
  topic: { de: 'Thema', fr: 'thème', it: 'tema', en: 'topic' },
  form: { de: 'Form', fr: 'forme', it: 'forma', en: 'form' },
  recipient: { de: 'Empfänger', fr: 'destinataire', it: 'destinatario', en: 'recipient' },
};

const nothing: { admin: Texts; person: Texts } = {
  admin: {
    de: 'Keine Regel erlaubt das. Ohne Erlaubnis gilt Nein.',
    fr: 'Aucune règle ne l’autorise. Sans autorisation, c’est non.',
    it: 'Nessuna regola lo consente. Senza permesso vale il no.',
    en: 'No rule permits this. Without a permission the answer is no.',
  },
  person: {
    de: 'Sie haben dem nicht zugestimmt, und es gibt keinen anderen Grund, der es erlaubt.',
    fr: 'Vous n’y avez pas consenti et aucune autre raison ne l’autorise.',
    it: 'Non ha dato il consenso e nessun altro motivo lo permette.',
    en: 'You have not agreed to this, and there is no other reason that allows it.',
  },
};
