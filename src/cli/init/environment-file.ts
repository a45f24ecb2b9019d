import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Answers, Known } from './questions.ts';

const path = '.env';

const variables = {
  BASE_URL: ['base-url', 'Where people and systems reach Askfirst; it must be this address that they call.'],
  MAIL_URL: ['mail-url', 'The mail server; this line may hold a password.'],
  MAIL_FROM: ['mail-from', 'The sender of all mail.'],
  KEY_BACKUP_FOLDER: ['key-backups', 'Nightly backups of the key store. Keep them out of every backup of the data.'],
  KEY_BACKUP_DAYS: ['key-backup-days', 'Older ones are removed: from them erased people could be brought back.'],
  ASKFIRST_CRM: [
    'crm',
    'The system that asks first. Only "askfirst init" reads this: it says where its secret belongs.',
  ],
} as const;

const existing = (): Record<string, string | undefined> =>
  existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};

/** What a file `.env` in the current folder has answered already. */
export const knownEnvironment = (): Known => {
  const found = existing();
  return Object.fromEntries(Object.entries(variables).map(([name, [flag]]) => [flag, found[name] || undefined]));
};

/** As `process.loadEnvFile` reads it back. */
const quoted = (value: string): string => {
  if (/^[\w.:/@%+,=?&~-]*$/.test(value)) return value;
  const mark = [`'`, '"', '`'].find((one) => !value.includes(one));
  if (mark === undefined) throw new Error('a value holds all three quotation marks: no .env can say that');
  return `${mark}${value}${mark}`;
};

/**
 * The file with what it lacks put at its end. Variables that it has keep their values: `kept` are those whose value is another than the
 * answer. `more` are further variables, with a comment each.
 */
export const planEnvironment = (
  answers: Answers,
  more: Record<string, { value: string; comment: string }>,
): { path: string; text: string; added: [string, string][]; kept: string[] } => {
  const found = existing();
  const wanted = [
    ...Object.entries(variables).map(([name, [flag, comment]]) => ({ name, value: answers[flag], comment })),
    ...Object.entries(more).map(([name, one]) => ({ name, ...one })),
  ].filter(({ value }) => value !== '');
  const missing = wanted.filter(({ name }) => !found[name]);
  const before = existsSync(path)
    ? readFileSync(path, 'utf8')
    : '# Settings of Askfirst; every variable is described in .env.example.\n';
  const added = missing.map(({ name, value, comment }) => `\n# ${comment}\n${name}=${quoted(value)}\n`).join('');
  return {
    path,
    text: (before.endsWith('\n') || before === '' ? before : `${before}\n`) + added,
    added: missing.map(({ name, value }) => [name, value]),
    kept: wanted.filter(({ name, value }) => found[name] && found[name] !== value).map(({ name }) => name),
  };
};

/** Whole or not at all; only its owner may read it, since passwords come to lie there. */
export const writePrivately = (file: string, text: string): void => {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
};
