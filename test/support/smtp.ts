import { startMailbox, type Mailbox, type ReceivedMail } from '../../src/demo/mailbox.ts';

export type { ReceivedMail };

/** What the server does with a mail: takes it, or refuses it with an SMTP code when it hears the recipient or has read the text. */
export type SmtpAnswer = 'take' | { code: number; at: 'recipient' | 'data' };

export type Smtp = Mailbox & {
  /** How many mails were begun, refused ones too. */
  attempts(): number;
  /** From now on; each mail may be judged by its recipient. */
  answer(how: SmtpAnswer | ((to: string) => SmtpAnswer)): void;
};

/** The SMTP server of the demo, which here may refuse mails. */
export const startSmtp = async (port = 0): Promise<Smtp> => {
  let judge: (to: string) => SmtpAnswer = () => 'take';
  let attempts = 0;
  const mailbox = await startMailbox({
    port,
    refuse: (to, at) => {
      if (at === 'recipient') attempts++;
      const answer = judge(to);
      if (answer === 'take' || answer.at !== at) return null;
      // Real servers repeat the address in what they say.
      return Object.assign(new Error(`<${to}> is refused`), { responseCode: answer.code });
    },
  });
  return {
    ...mailbox,
    attempts: () => attempts,
    answer: (how) => {
      judge = typeof how === 'function' ? how : () => how;
    },
  };
};
