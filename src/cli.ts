import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './cli/usage-error.ts';

/** The answers of `askfirst init`, a flag each. */
const answerFlags = [
  'name',
  'email',
  'address',
  'dpo-name',
  'dpo-email',
  'jurisdiction',
  'base-url',
  'mail-url',
  'mail-from',
  'key-backups',
  'key-backup-days',
  'crm',
] as const;

/** Every option of every verb; a verb says which of them it takes. */
const optionTypes = {
  ...(Object.fromEntries(answerFlags.map((name) => [name, { type: 'string' }])) as Record<
    (typeof answerFlags)[number],
    { type: 'string' }
  >),
  yes: { type: 'boolean' },
  force: { type: 'boolean' },
  'secret-to': { type: 'string' },
  scope: { type: 'string', multiple: true },
  issuer: { type: 'string' },
  'external-id': { type: 'string' },
  language: { type: 'string' },
  jwks: { type: 'string' },
  missing: { type: 'boolean' },
  older: { type: 'boolean' },
  system: { type: 'string' },
  report: { type: 'string' },
  format: { type: 'string' },
  map: { type: 'string' },
  as: { type: 'string' },
  apply: { type: 'boolean' },
  watch: { type: 'boolean' },
  since: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const;

export type Options = { [Name in (typeof answerFlags)[number]]?: string } & {
  yes?: boolean;
  force?: boolean;
  'secret-to'?: string;
  scope?: string[];
  issuer?: string;
  'external-id'?: string;
  language?: string;
  jwks?: string;
  missing?: boolean;
  older?: boolean;
  system?: string;
  report?: string;
  format?: string;
  map?: string;
  as?: string;
  apply?: boolean;
  watch?: boolean;
  since?: string;
  limit?: string;
  json?: boolean;
};

type Verb = {
  name: string;
  /** What follows the name in the help. */
  takes: string;
  about: string;
  /** It changes something, or writes a file: it goes on where nobody reads its output any more. */
  toTheEnd?: boolean;
  /** Fewest and most arguments. */
  arguments: readonly [number, number];
  options?: readonly (keyof typeof optionTypes)[];
  /** Loaded only when it is called for. Resolves to false where what was asked for is not so (exit code 1). */
  run(given: string[], options: Options): Promise<boolean | void>;
};

const verbs: readonly Verb[] = [
  {
    name: 'init',
    toTheEnd: true,
    takes: `[folder] [--yes] [--force] [--secret-to <file>] [${answerFlags.map((name) => `--${name} …`).join('] [')}]`,
    about: 'Sets up controller, settings, database, policies and the first client; asks eight questions or takes flags',
    arguments: [0, 1],
    options: ['yes', 'force', 'secret-to', ...answerFlags],
    run: async ([folder = '.'], options) => (await import('./cli/init.ts')).init(folder, options),
  },
  {
    name: 'clients create',
    toTheEnd: true,
    takes: '<system> --scope <scope> … [--issuer <url> --external-id <id>]',
    about: 'Makes OAuth credentials for a system, shown this once; or takes the tokens of an issuer of your own for it',
    arguments: [1, 1],
    options: ['scope', 'issuer', 'external-id'],
    run: async ([system], { scope = [], issuer, 'external-id': externalId }) =>
      (await import('./cli/clients.ts')).create(system!, scope, { issuer, externalId }),
  },
  {
    name: 'clients list',
    takes: '',
    about: 'Shows all clients, without secrets',
    arguments: [0, 0],
    run: async () => (await import('./cli/clients.ts')).list(),
  },
  {
    name: 'clients revoke',
    toTheEnd: true,
    takes: '<client id>',
    about: 'Ends a client and its tokens, on every instance at once',
    arguments: [1, 1],
    run: async ([clientId]) => (await import('./cli/clients.ts')).revoke(clientId!),
  },
  {
    name: 'policies check',
    takes: '[folder]',
    about: 'Loads a policy folder and shows its rules and the cases that prove them',
    arguments: [0, 1],
    run: async ([folder]) => (await import('./cli/policies.ts')).check(folder),
  },
  {
    name: 'policies test',
    takes: '[folder] [--watch]',
    about: 'Plays the cases of a policy folder and shows those that come out otherwise, with every rule that spoke',
    arguments: [0, 1],
    options: ['watch'],
    run: async ([folder], { watch = false }) => (await import('./cli/policies-test.ts')).test(folder, watch),
  },
  {
    name: 'policies diff',
    takes: '<folder> [--since P30D] [--limit 100000] [--json] [--language de|fr|it|en]',
    about: 'Replays recorded decisions against a policy folder and shows which would come out otherwise, and why',
    arguments: [1, 1],
    options: ['since', 'limit', 'json', 'language'],
    run: async ([folder], options) => (await import('./cli/policies-diff.ts')).diff(folder!, options),
  },
  {
    name: 'policies explain',
    takes: '<decision id | request.json | -> [--language de|fr|it|en]',
    about: 'Shows rule by rule why a recorded decision, or a request put now, comes out as it does',
    arguments: [1, 1],
    options: ['language'],
    run: async ([subject], { language = 'en' }) => (await import('./cli/policies.ts')).explain(subject!, language),
  },
  {
    name: 'policies activate',
    toTheEnd: true,
    takes: '[folder]',
    about: 'Makes a policy folder the one that all instances obey',
    arguments: [0, 1],
    run: async ([folder]) => (await import('./cli/policies.ts')).activate(folder),
  },
  {
    name: 'import',
    toTheEnd: true,
    takes:
      '<file> --format ndjson|civicrm|suitecrm|sugarcrm|mailchimp|hubspot [--map <file>] [--as <system>] [--report <file>] [--apply]',
    about:
      'Shows what the answers in an export come to; with --apply records them. Goes on where it was stopped, and adds nothing twice',
    arguments: [1, 1],
    options: ['format', 'map', 'as', 'report', 'apply'],
    run: async ([file], options) => (await import('./cli/import.ts')).importFile(file!, options),
  },
  {
    name: 'doctor',
    takes: '[--json]',
    about:
      'Checks settings, database, roles, keys, backups, mail, clock and policies, and says what to do; changes nothing',
    arguments: [0, 0],
    options: ['json'],
    run: async (_, options) => (await import('./cli/doctor.ts')).doctor(options),
  },
  {
    name: 'audit',
    toTheEnd: true,
    takes: '<file> [--system <id>] [--report <file>] [--language de|fr|it|en]',
    about: 'Says which of the social links that a CRM holds have no ground, and why; changes nothing',
    arguments: [1, 1],
    options: ['system', 'report', 'language'],
    run: async ([file], options) => (await import('./cli/audit.ts')).audit(file!, options),
  },
  {
    name: 'receipts verify',
    takes: '<file | -> [--jwks <file | url>]',
    about: 'Verifies a consent receipt offline, against a saved key set or this installation’s own keys',
    arguments: [1, 1],
    options: ['jwks'],
    run: async ([file], { jwks }) => (await import('./cli/receipts.ts')).verify(file!, jwks),
  },
  {
    name: 'keys new',
    takes: '[version]',
    about: 'Prints a new key-encryption key; the first has version 1',
    arguments: [0, 1],
    run: async ([version]) => (await import('./cli/keys.ts')).create(version),
  },
  {
    name: 'keys rotate',
    toTheEnd: true,
    takes: '<tokens | receipts>',
    about: 'Makes the key that signs access tokens or receipts from ten minutes on',
    arguments: [1, 1],
    run: async ([name]) => (await import('./cli/rotate-keys.ts')).rotate(name!),
  },
  {
    name: 'keys rewrap',
    toTheEnd: true,
    takes: '',
    about: 'Wraps every key of the key store anew under the highest key-encryption key',
    arguments: [0, 0],
    run: async () => (await import('./cli/keys.ts')).rewrap(),
  },
  {
    name: 'keys backup',
    toTheEnd: true,
    takes: '[folder]',
    about: 'Writes the key store, wrapped as it is, into one dated file, and removes backups that are too old',
    arguments: [0, 1],
    run: async ([folder]) => (await import('./cli/keys.ts')).backup(folder),
  },
  {
    name: 'keys restore',
    toTheEnd: true,
    takes: '<file> [--missing] [--older]',
    about:
      'Brings keys back into an empty key store (--missing: into one that lost some), never those of erased people',
    arguments: [1, 1],
    options: ['missing', 'older'],
    run: async ([file], options) => (await import('./cli/keys.ts')).restore(file!, options),
  },
  {
    name: 'migrate',
    toTheEnd: true,
    takes: '',
    about: 'Brings both databases to the schema of this version; safe while instances run',
    arguments: [0, 0],
    run: async () => (await import('./cli/migrate.ts')).migrateBoth(),
  },
];

const usageOf = ({ name, takes }: Verb): string => `askfirst ${name} ${takes}`.trimEnd();

const help = (shown: readonly Verb[]): string =>
  [
    'Usage: npm run -s askfirst -- <verb>',
    '',
    ...shown.flatMap((verb) => [`  ${usageOf(verb)}`, `      ${verb.about}.`]),
    '',
    'It works on the database of DATABASE_URL or, without it, on the embedded one in ASKFIRST_DATA (./.askfirst),',
    'also while the service runs. Exit codes: 0 done, 1 not done or not so, 2 not understood.',
    '',
  ].join('\n');

const readArguments = (verb: Verb, words: string[]): { given: string[]; options: Options; wantsHelp: boolean } => {
  const taken = Object.fromEntries((verb.options ?? []).map((name) => [name, optionTypes[name]]));
  const config: ParseArgsConfig = {
    args: words,
    options: { ...taken, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  };
  try {
    const { positionals, values } = parseArgs(config);
    return { given: positionals, options: values as Options, wantsHelp: values['help'] === true };
  } catch (error) {
    // The first sentence says what is wrong; what follows is advice about another program's habits.
    throw new UsageError((error as Error).message.split('. ')[0]!.replace(/\.$/, ''));
  }
};

const verbOf = (words: string[]): Verb | undefined =>
  verbs.find(({ name }) => name === words.slice(0, name.split(' ').length).join(' '));

/** Runs one command line; answers its exit code and never throws. */
const main = async (words: string[]): Promise<number> => {
  const verb = verbOf(words);
  try {
    if (!verb) {
      const [first] = words;
      const group = verbs.filter(({ name }) => name.split(' ')[0] === first);
      const askedForHelp = first === undefined || ['help', '--help', '-h'].includes(words.at(-1)!);
      const shown = help(group.length > 0 ? group : verbs);
      if (askedForHelp) process.stdout.write(shown);
      else process.stderr.write(`askfirst: there is no verb "${words.join(' ')}"\n\n${shown}`);
      return askedForHelp ? 0 : 2;
    }
    const { given, options, wantsHelp } = readArguments(verb, words.slice(verb.name.split(' ').length));
    if (wantsHelp) {
      process.stdout.write(help([verb]));
      return 0;
    }
    const [fewest, most] = verb.arguments;
    if (given.length < fewest) throw new UsageError('something is missing');
    if (given.length > most) throw new UsageError(`"${given[most]}" is too much`);
    return (await verb.run(given, options)) === false ? 1 : 0;
  } catch (error) {
    process.stderr.write(`askfirst: ${error instanceof Error ? error.message : 'it failed'}\n`);
    if (!(error instanceof UsageError)) return 1;
    process.stderr.write(`Usage: ${verb ? usageOf(verb) : 'askfirst <verb>'}\n`);
    return 2;
  }
};

if (import.meta.main) {
  const words = process.argv.slice(2);
  // `askfirst … | head` closes the pipe: that is no failure, and to end there would leave half of what was to be changed.
  const toTheEnd = verbOf(words)?.toTheEnd ?? false;
  let unwritten = 0;
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') unwritten = 1;
    if (!toTheEnd) process.exit(unwritten);
  });
  process.stderr.on('error', () => {});
  process.exitCode = (await main(words)) || unwritten;
}
