import type { Language } from '../policies/index.ts';

/** The ways of telling a person that a colleague may have used, among those that a record of consent knows. */
export const waysOfTelling = ['email', 'direct-message', 'paper', 'phone', 'in-person'] as const;

type TaskTexts = {
  done: string;
  how: string;
  ways: Record<(typeof waysOfTelling)[number], string>;
  thanksTitle: string;
  thanks: string;
  alreadyTitle: string;
  already: string;
};

/** What the page of a task says beyond the task itself; its readers are colleagues. */
export const taskTexts: Readonly<Record<Language, TaskTexts>> = {
  de: {
    done: 'Erledigt',
    how: 'Wie haben Sie die Person informiert?',
    ways: {
      email: 'E-Mail',
      'direct-message': 'Direktnachricht',
      paper: 'Brief',
      phone: 'Telefon',
      'in-person': 'Persönlich',
    },
    thanksTitle: 'Danke',
    thanks: 'Die Aufgabe ist erledigt. Wir erinnern Sie nicht mehr daran.',
    alreadyTitle: 'Schon erledigt',
    already: 'Diese Aufgabe ist bereits als erledigt gemeldet. Sie müssen nichts mehr tun.',
  },
  fr: {
    done: 'Fait',
    how: 'Comment avez-vous informé la personne ?',
    ways: {
      email: 'E-mail',
      'direct-message': 'Message privé',
      paper: 'Lettre',
      phone: 'Téléphone',
      'in-person': 'De vive voix',
    },
    thanksTitle: 'Merci',
    thanks: 'La tâche est faite. Nous ne vous la rappellerons plus.',
    alreadyTitle: 'Déjà fait',
    already: 'Cette tâche est déjà signalée comme faite. Vous n’avez plus rien à faire.',
  },
  it: {
    done: 'Fatto',
    how: 'Come ha informato la persona?',
    ways: {
      email: 'E-mail',
      'direct-message': 'Messaggio privato',
      paper: 'Lettera',
      phone: 'Telefono',
      'in-person': 'A voce',
    },
    thanksTitle: 'Grazie',
    thanks: 'Il compito è fatto. Non glielo ricorderemo più.',
    alreadyTitle: 'Già fatto',
    already: 'Questo compito è già stato segnalato come fatto. Non deve fare altro.',
  },
  en: {
    done: 'Done',
    how: 'How did you tell the person?',
    ways: {
      email: 'E-mail',
      'direct-message': 'Direct message',
      paper: 'Letter',
      phone: 'Telephone',
      'in-person': 'In person',
    },
    thanksTitle: 'Thank you',
    thanks: 'The task is done. We shall not remind you of it any more.',
    alreadyTitle: 'Already done',
    already: 'This task has been reported as done. There is nothing left to do.',
  },
};
