import type { MailContent } from '../kernel/mail/mail-values.ts';
import type { Language } from '../policies/index.ts';
import type { TaskWords } from './task-words.ts';

type Words = {
  colon: string;
  reminder(count: number): string;
  open: string;
  overdue: string;
  done: string;
  only: string;
};

const englishEndings: Record<string, string> = { one: 'st', two: 'nd', few: 'rd', other: 'th' };

const words: Record<Language, Words> = {
  de: {
    colon: ':',
    reminder: (count) => `${count}. Erinnerung`,
    open: 'Diese Aufgabe ist noch offen.',
    overdue: 'Die Frist ist abgelaufen.',
    done: 'Ist es getan? Dann öffnen Sie diese Seite und drücken Sie auf „Erledigt“:',
    only: 'Der Link braucht keine Anmeldung und kann nur diese eine Aufgabe als erledigt melden. Wir erinnern Sie, bis das geschehen ist.',
  },
  fr: {
    colon: ' :',
    reminder: (count) => `${count}${count === 1 ? 'er' : 'e'} rappel`,
    open: 'Cette tâche est encore ouverte.',
    overdue: 'Le délai est dépassé.',
    done: 'C’est fait ? Ouvrez alors cette page et appuyez sur « Fait » :',
    only: 'Le lien ne demande aucune connexion et ne peut que signaler cette tâche comme faite. Nous vous la rappelons jusque-là.',
  },
  it: {
    colon: ':',
    reminder: (count) => `${count}º promemoria`,
    open: 'Questo compito è ancora aperto.',
    overdue: 'Il termine è scaduto.',
    done: 'È fatto? Allora apra questa pagina e prema «Fatto»:',
    only: 'Il link non richiede accesso e può solo segnalare questo compito come fatto. Glielo ricordiamo finché non lo è.',
  },
  en: {
    colon: ':',
    reminder: (count) =>
      `${count}${englishEndings[new Intl.PluralRules('en', { type: 'ordinal' }).select(count)]} reminder`,
    open: 'This task is still open.',
    overdue: 'It is overdue.',
    done: 'Is it done? Then open this page and press “Done”:',
    only: 'The link needs no signing in and can do nothing but report this one task as done. We remind you until then.',
  },
};

/** The mail of a task; `reminders` counts those before and this one, 0 for the first mail. Pure. */
export const taskMail = (
  language: Language,
  about: { to: string; task: TaskWords; reminders: number; overdue: boolean; link: string },
): MailContent => {
  const { to, task, reminders, overdue, link } = about;
  const say = words[language];
  const again = reminders === 0 ? [] : [`${say.open}${overdue ? ` ${say.overdue}` : ''}`];
  return {
    to,
    subject: reminders === 0 ? task.title : `${task.title} – ${say.reminder(reminders)}`,
    text: [
      ...again,
      task.what,
      task.facts.map(([label, value]) => `${label}${say.colon} ${value}`).join('\n'),
      `${say.done}\n${link}`,
      say.only,
    ].join('\n\n'),
  };
};
