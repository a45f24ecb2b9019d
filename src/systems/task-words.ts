import type { Catalogue, Language } from '../policies/index.ts';
import type { Described, Obligation } from './obligation.ts';

/** What a colleague must do, in words: a title, a sentence, and what it is about, as label and value. */
export type TaskWords = { title: string; what: string; facts: [label: string, value: string][] };

type Kind = Obligation['kind'];
type Words = {
  titles: Record<Kind, string>;
  what: Record<Kind, (system: string) => string>;
  customer: string;
  identity: string;
  unknown: string;
  purpose: string;
  scope: string;
  collectedAt: string;
  source: string;
  notice: string;
  dueAt: string;
};

const words: Record<Language, Words> = {
  de: {
    titles: {
      unlink: 'Verknüpfung aufheben',
      stop: 'Daten nicht mehr verwenden',
      inform: 'Eine Person informieren',
    },
    what: {
      unlink: (system) =>
        `Bitte trennen Sie in „${system}“ dieses Konto von diesem Eintrag. Der Grund, beides zu verknüpfen, ist weggefallen.`,
      stop: (system) =>
        `Bitte verwenden Sie in „${system}“ die Daten dieser Person nicht mehr für diesen Zweck. Die Person hat Nein gesagt.`,
      inform: (system) =>
        `In „${system}“ wurden Daten über diese Person erhoben, aber nicht bei ihr selbst. Bitte teilen Sie ihr das mit (Art. 14 DSGVO), mit diesem Wortlaut.`,
    },
    customer: 'Person',
    identity: 'Konto',
    unknown: 'hier nicht mehr bekannt',
    purpose: 'Zweck',
    scope: 'Nur für',
    collectedAt: 'Erhoben',
    source: 'Quelle',
    notice: 'Wortlaut',
    dueAt: 'Zu erledigen bis',
  },
  fr: {
    titles: {
      unlink: 'Supprimer un lien',
      stop: 'Ne plus utiliser des données',
      inform: 'Informer une personne',
    },
    what: {
      unlink: (system) =>
        `Veuillez séparer ce compte de cette fiche dans « ${system} ». La raison de les lier n’existe plus.`,
      stop: (system) =>
        `Veuillez ne plus utiliser les données de cette personne pour cette finalité dans « ${system} ». La personne a dit non.`,
      inform: (system) =>
        `Des données sur cette personne ont été collectées dans « ${system} », mais pas auprès d’elle. Veuillez l’en informer (art. 14 RGPD), avec ce texte.`,
    },
    customer: 'Personne',
    identity: 'Compte',
    unknown: 'n’est plus connu ici',
    purpose: 'Finalité',
    scope: 'Seulement pour',
    collectedAt: 'Collecté',
    source: 'Source',
    notice: 'Texte',
    dueAt: 'À faire avant',
  },
  it: {
    titles: {
      unlink: 'Eliminare un collegamento',
      stop: 'Non usare più dei dati',
      inform: 'Informare una persona',
    },
    what: {
      unlink: (system) =>
        `Separi questo account da questa scheda in «${system}». Il motivo per collegarli non c’è più.`,
      stop: (system) =>
        `Non usi più i dati di questa persona per questa finalità in «${system}». La persona ha detto no.`,
      inform: (system) =>
        `In «${system}» sono stati raccolti dati su questa persona, ma non presso di lei. La informi (art. 14 GDPR), con questo testo.`,
    },
    customer: 'Persona',
    identity: 'Account',
    unknown: 'qui non è più noto',
    purpose: 'Finalità',
    scope: 'Solo per',
    collectedAt: 'Raccolti',
    source: 'Fonte',
    notice: 'Testo',
    dueAt: 'Da fare entro',
  },
  en: {
    titles: {
      unlink: 'Undo a link',
      stop: 'Stop using data',
      inform: 'Inform a person',
    },
    what: {
      unlink: (system) =>
        `Please separate this account from this record in “${system}”. There is no ground any more to link the two.`,
      stop: (system) => `Please stop using this person’s data for this purpose in “${system}”. The person said no.`,
      inform: (system) =>
        `Data about this person were collected in “${system}”, but not from them. Please tell them (Art. 14 GDPR), in these words.`,
    },
    customer: 'Person',
    identity: 'Account',
    unknown: 'no longer known here',
    purpose: 'Purpose',
    scope: 'Only for',
    collectedAt: 'Collected',
    source: 'Source',
    notice: 'Words',
    dueAt: 'To be done by',
  },
};

const moment = (text: string, language: Language): string =>
  `${Temporal.Instant.from(text).toLocaleString(language, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })} UTC`;

/**
 * An obligation as a task for a colleague. Names the person only as the system itself does (`described`); `noticeVersion` chooses the words of one to
 * inform, the newest unless told. Pure.
 */
export const taskWords = (
  catalogue: Catalogue,
  language: Language,
  obligation: Obligation,
  described: Described = {},
  noticeVersion?: number,
): TaskWords => {
  const say = words[language];
  const { kind, facts } = obligation;
  const purpose = catalogue.purposes.get(facts.purpose);
  const name = catalogue.systems.get(obligation.system)?.name[language] ?? obligation.system;
  const list: TaskWords['facts'] = [[say.customer, described.customer ?? say.unknown]];
  if (kind === 'unlink') list.push([say.identity, described.identity ?? say.unknown]);
  list.push([say.purpose, purpose?.title[language] ?? facts.purpose]);
  if (kind === 'stop' && Object.keys(facts.scope).length > 0)
    list.push([say.scope, Object.values(facts.scope).join(', ')]);
  if (kind === 'inform') {
    list.push([say.collectedAt, moment(facts.collectedAt, language)]);
    if (facts.source !== undefined) list.push([say.source, facts.source]);
    const notice = purpose?.notices.find(({ version }) => version === noticeVersion) ?? purpose?.notices.at(-1);
    if (notice) list.push([say.notice, notice.text[language]]);
  }
  list.push([say.dueAt, moment(obligation.dueAt, language)]);
  return { title: say.titles[kind], what: say.what[kind](name), facts: list };
};
