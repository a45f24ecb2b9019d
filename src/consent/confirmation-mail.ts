import type { MailContent } from '../kernel/mail/mail-values.ts';
import type { Language, Purpose } from '../policies/index.ts';

type About = { to: string; language: Language; code: string; controller: string; purpose: Purpose; forChild: boolean };

type Words = {
  subject(about: About): string;
  body(about: About): string[];
};

const words: Record<Language, Words> = {
  de: {
    subject: ({ controller }) => `Ihr Code für ${controller}`,
    body: ({ code, controller, purpose, forChild }) => [
      'Guten Tag',
      forChild
        ? `Ein Kind hat Ihre Adresse angegeben: ${controller} bittet Sie als sorgeberechtigte Person um Ihr Ja zu „${purpose.title.de}“.`
        : `Jemand hat mit dieser Adresse bei ${controller} Ja gesagt zu „${purpose.title.de}“.`,
      purpose.notices.at(-1)!.summary.de,
      `${forChild ? 'Sind Sie einverstanden' : 'Waren Sie das, und bleibt es dabei'}? Dann geben Sie dort, wo ${forChild ? 'das Kind' : 'Sie'} gefragt ${forChild ? 'wurde' : 'wurden'}, diesen Code ein:\n\n    ${code}`,
      'Der Code gilt 48 Stunden. Sonst müssen Sie nichts tun: Ohne den Code gilt kein Ja, und wir schreiben Ihnen deswegen nicht noch einmal.',
    ],
  },
  fr: {
    subject: ({ controller }) => `Votre code pour ${controller}`,
    body: ({ code, controller, purpose, forChild }) => [
      'Bonjour',
      forChild
        ? `Un enfant a indiqué votre adresse : ${controller} vous demande, en tant que titulaire de l’autorité parentale, votre oui à « ${purpose.title.fr} ».`
        : `Quelqu’un a dit oui à « ${purpose.title.fr} » auprès de ${controller} avec cette adresse.`,
      purpose.notices.at(-1)!.summary.fr,
      `${forChild ? 'Êtes-vous d’accord ? Saisissez alors ce code là où la question a été posée à l’enfant' : 'Était-ce vous, et le maintenez-vous ? Saisissez alors ce code là où la question vous a été posée'} :\n\n    ${code}`,
      'Le code est valable 48 heures. Sinon, vous n’avez rien à faire : sans le code, aucun oui ne compte et nous ne vous écrirons plus à ce sujet.',
    ],
  },
  it: {
    subject: ({ controller }) => `Il Suo codice per ${controller}`,
    body: ({ code, controller, purpose, forChild }) => [
      'Buongiorno',
      forChild
        ? `Un minore ha indicato il Suo indirizzo: ${controller} Le chiede, come persona che esercita la responsabilità genitoriale, il Suo sì a «${purpose.title.it}».`
        : `Qualcuno ha detto sì a «${purpose.title.it}» presso ${controller} con questo indirizzo.`,
      purpose.notices.at(-1)!.summary.it,
      `${forChild ? 'È d’accordo? Allora inserisca questo codice dove la domanda è stata posta al minore' : 'È stata Lei, o è stato Lei, e lo conferma? Allora inserisca questo codice dove Le è stata posta la domanda'}:\n\n    ${code}`,
      'Il codice vale 48 ore. Altrimenti non deve fare nulla: senza il codice nessun sì è valido e non Le scriveremo più per questo.',
    ],
  },
  en: {
    subject: ({ controller }) => `Your code for ${controller}`,
    body: ({ code, controller, purpose, forChild }) => [
      'Hello',
      forChild
        ? `A child has given your address: ${controller} asks you, as a parent or guardian, for your yes to “${purpose.title.en}”.`
        : `Somebody said yes to “${purpose.title.en}” at ${controller} with this address.`,
      purpose.notices.at(-1)!.summary.en,
      `${forChild ? 'Do you agree? Then type this code where the child was asked' : 'Was it you, and do you mean it? Then type this code where you were asked'}:\n\n    ${code}`,
      'The code is good for 48 hours. Otherwise you need not do anything: without the code no yes counts, and we shall not write to you about it again.',
    ],
  },
};

/**
 * The mail of a double opt-in. It holds a code to be typed and no link, because scanners of mail open links and post forms; and it advertises
 * nothing, because nobody has agreed to anything yet.
 */
export const confirmationMail = (about: About): MailContent => ({
  to: about.to,
  subject: words[about.language].subject(about),
  text: `${words[about.language].body(about).join('\n\n')}\n\n${about.controller}\n`,
});
