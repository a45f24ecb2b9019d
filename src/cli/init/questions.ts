import { createInterface } from 'node:readline/promises';
import { z } from 'zod';
import { environmentSchema } from '../../config.ts';
import { UsageError } from '../usage-error.ts';

const { BASE_URL, MAIL_URL, MAIL_FROM, KEY_BACKUP_DAYS } = environmentSchema.shape;

export const crms = ['civicrm', 'suitecrm', 'other'] as const;

type Question = {
  /** Questions of one number belong together: there are eight. */
  number: number;
  text: string;
  accepts: z.ZodType;
  /** What an empty answer means; without it there must be one. */
  otherwise?: string;
  /** The question without whose answer this one has none, and with whose answer it must have one. */
  with?: 'dpo-name' | 'mail-url';
};

const line = z.string().trim().min(1, 'must not be empty');

/**
 * By the name of the flag that answers it. An empty answer to a question that may stay open leaves its setting out. `jurisdictions`: what the
 * policies know.
 */
export const questionsFor = (jurisdictions: readonly string[]) =>
  ({
    name: {
      number: 1,
      text: 'Who answers for the data? Name of the association or company',
      accepts: line,
    },
    email: { number: 2, text: 'Where can people write about their data? E-mail', accepts: z.email() },
    address: { number: 2, text: '   and postal address, on one line', accepts: line },
    'dpo-name': {
      number: 3,
      text: 'Who advises you on data protection (the DPO)? Name. Empty: nobody is appointed',
      accepts: line,
      otherwise: '',
    },
    'dpo-email': {
      number: 3,
      text: '   and e-mail',
      accepts: z.email(),
      otherwise: '',
      with: 'dpo-name',
    },
    jurisdiction: {
      number: 4,
      text: `Whose law is yours? One of ${jurisdictions.join(', ')}`,
      accepts: z.enum(jurisdictions),
    },
    'base-url': {
      number: 5,
      text: 'Under which address will people and systems reach Askfirst (https://…)? Empty: this machine only',
      accepts: BASE_URL,
      otherwise: '',
    },
    'mail-url': {
      number: 6,
      text: 'Which mail server sends (smtps://user:password@host)? Empty: none yet, so nobody can confirm by mail',
      accepts: MAIL_URL,
      otherwise: '',
    },
    'mail-from': {
      number: 6,
      text: '   and as whom (Club <info@example.org>)?',
      accepts: MAIL_FROM,
      otherwise: '',
      with: 'mail-url',
    },
    'key-backups': {
      number: 7,
      text: 'Into which folder go the nightly backups of the keys? No backup of the data may hold it',
      accepts: line,
      otherwise: './key-backups',
    },
    'key-backup-days': {
      number: 7,
      text: '   and for how many days are they kept?',
      accepts: KEY_BACKUP_DAYS,
      otherwise: '30',
    },
    crm: {
      number: 8,
      text: `Which system asks first? One of ${crms.join(', ')}`,
      accepts: z.enum(crms),
      otherwise: 'other',
    },
  }) satisfies Record<string, Question>;

type Name = keyof ReturnType<typeof questionsFor>;
type Questions = Readonly<Record<Name, Question>>;
const namesOf = (questions: Questions) => Object.keys(questions) as Name[];

export type Answers = Record<Name, string>;
/** Known before anybody is asked: flags, and what a folder holds already. */
export type Known = Partial<Record<Name, string | undefined>>;

const problemOf = ({ accepts, otherwise }: Question, value: string): string | undefined => {
  if (value === '' && otherwise === '') return undefined;
  const read = accepts.safeParse(value);
  return read.success ? undefined : read.error.issues[0]!.message;
};

/** The answers without asking anybody. Throws UsageError naming every flag that is missing or wrong. */
export const answersOf = (questions: Questions, flags: Known, existing: Known): Answers => {
  const entries = namesOf(questions).map(
    (name) => [name, flags[name] ?? existing[name] ?? questions[name].otherwise] as const,
  );
  const missing = entries.filter(([, value]) => value === undefined).map(([name]) => `--${name}`);
  if (missing.length > 0)
    throw new UsageError(`nobody can be asked here (no terminal), and these are missing: ${missing.join(', ')}`);
  for (const [name, value] of entries) {
    const problem = problemOf(questions[name], value!);
    if (problem !== undefined) throw new UsageError(`--${name}: ${problem}`);
  }
  const answers = Object.fromEntries(entries) as Answers;
  if (answers['mail-url'] !== '' && answers['mail-from'] === '')
    throw new UsageError('--mail-from: required with --mail-url');
  if ((answers['dpo-name'] === '') !== (answers['dpo-email'] === ''))
    throw new UsageError('--dpo-name and --dpo-email go together; without both nobody is appointed');
  return answers;
};

type Conversation = {
  ask(flags: Known, existing: Known): Promise<Answers>;
  confirm(text: string): Promise<boolean>;
  end(): void;
};

/** Asks on the terminal what no flag has answered; an empty line takes what stands in brackets. A wrong answer is asked for again. */
export const converse = (questions: Questions): Conversation => {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const ended = new AbortController();
  terminal.once('close', () => ended.abort());
  const question = (text: string) =>
    terminal.question(text, { signal: ended.signal }).catch(() => {
      throw new Error('the answers ended; nothing was written');
    });
  const one = async (name: Name, offered: string | undefined): Promise<string> => {
    const { number, text, otherwise, with: other } = questions[name];
    const preset = offered ?? otherwise;
    const mayBeEmpty = otherwise !== undefined && other === undefined;
    const mark = text.startsWith(' ') ? '' : `${number}/8 `;
    for (;;) {
      const typed = (await question(`${mark}${text}${preset ? ` [${shown(name, preset)}]` : ''}: `)).trim();
      const value = typed === '' ? (preset ?? '') : typed;
      const problem = value === '' && !mayBeEmpty ? 'must not be empty' : problemOf(questions[name], value);
      if (problem === undefined) return value;
      process.stdout.write(`  ${problem}\n`);
    }
  };
  return {
    ask: async (flags, existing) => {
      const answers: Known = {};
      for (const name of namesOf(questions)) {
        const problem = flags[name] === undefined ? undefined : problemOf(questions[name], flags[name]);
        if (problem !== undefined) throw new UsageError(`--${name}: ${problem}`);
        const other = questions[name].with;
        if (other !== undefined && answers[other] === '') answers[name] = '';
        else answers[name] = flags[name] ?? (await one(name, existing[name]));
      }
      return answersOf(questions, answers, {});
    },
    confirm: async (text) => /^(y|yes|)$/i.test((await question(`${text} [Y/n] `)).trim()),
    end: () => terminal.close(),
  };
};

/** A mail server's URL holds a password. */
export const shown = (name: string, value: string): string =>
  name === 'mail-url' || name === 'MAIL_URL' ? value.replace(/:[^:@/]*@/, ':…@') : value;
