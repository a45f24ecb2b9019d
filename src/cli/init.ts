import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { lacksKeyEncryptionKey, projectFolder } from '../config.ts';
import { newKeyEncryptionKey } from '../kernel/crypto/key-encryption.ts';
import { livingNotes } from '../kernel/data-folder.ts';
import { assertDurable } from '../kernel/database/client.ts';
import { migrate } from '../kernel/database/migrate.ts';
import { activatePolicies, loadCatalogue } from '../policies/index.ts';
import { createClient, listClients } from '../systems/index.ts';
import { copyDefaultPack, knownController, knownJurisdictions, planController } from './init/controller-file.ts';
import { knownEnvironment, planEnvironment, writePrivately } from './init/environment-file.ts';
import { crmScopes, firstSystem, instructions } from './init/first-system.ts';
import { answersOf, converse, questionsFor, shown, type Answers, type crms, type Known } from './init/questions.ts';
import { withInstallation, withOpened, type Installation } from './installation.ts';
import { print, remark } from './print.ts';
import { UsageError } from './usage-error.ts';

export type InitOptions = Known & { yes?: boolean; force?: boolean; 'secret-to'?: string };

const policiesFolder = './policies';
const keyFile = './key-encryption-keys';

type Plan = { controller: ReturnType<typeof planController>; environment: ReturnType<typeof planEnvironment> };

const summary = ({ controller, environment }: Plan): string[] => [
  '',
  controller.path,
  ...(controller.changes.length === 0
    ? ['  stays as it is']
    : controller.changes.map(({ member, from, to }) => `  ${member}: ${from ?? '(nothing)'} -> ${to ?? '(nothing)'}`)),
  environment.path,
  ...environment.added.map(([name, value]) => `  + ${name}=${shown(name, value)}`),
  ...environment.kept.map(
    (name) => `  ${name} is set to something else there and stays so; change it in the file if you want to`,
  ),
  ...(environment.added.length + environment.kept.length === 0 ? ['  stays as it is'] : []),
];

/** A file that is there may be anything: it is never overwritten. */
const openPrivately = (file: string): number => {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`${file} is there already and stays as it is; no client was made: name another file`);
  }
};

/** Makes the client; its secret is answered once, so the file that is to take it must be there before. */
const makeClient = async (make: () => ReturnType<typeof createClient>, file: string | undefined): Promise<string[]> => {
  const opened = file === undefined ? undefined : { file, descriptor: openPrivately(file) };
  try {
    const { clientId, clientSecret } = await make().catch((error: unknown) => {
      if (opened) rmSync(opened.file);
      throw error;
    });
    const credentials = [`ASKFIRST_CLIENT_ID=${clientId}`, `ASKFIRST_CLIENT_SECRET=${clientSecret}`];
    if (!opened) {
      remark('The secret is shown this once: only its hash is stored.');
      return credentials;
    }
    writeFileSync(opened.descriptor, `${credentials.join('\n')}\n`);
    return [`. ${resolve(opened.file)}   # the two lines are in this file and nowhere else`];
  } finally {
    if (opened) closeSync(opened.descriptor);
  }
};

/** Database, policies and the first system's client, each only where it is not there yet; and what to paste where. */
const setUp = async (
  installation: Installation,
  crm: Answers['crm'],
  secretFile: string | undefined,
): Promise<void> => {
  const { settings, urls } = installation;
  if (urls.owner !== undefined) await migrate(urls.owner, 'data');
  if (urls.keysOwner !== undefined) await migrate(urls.keysOwner, 'keys');
  const policies = await loadCatalogue(settings.policiesFolder);
  await withOpened(installation, async ({ database, policySets }) => {
    await assertDurable(database);
    const { changed } = await activatePolicies(database, policies);
    print(`Policy set ${policies.digest.slice(0, 12)} ${changed ? 'is active now' : 'is active already'}.`);
    const catalogue = await policySets.current();
    const system = firstSystem(catalogue);
    const own = (await listClients(database)).filter((one) => one.system === system && one.revokedAt === null);
    let credentials: string[];
    if (own.length > 0) {
      const ids = own.map(({ clientId }) => clientId).join(', ');
      credentials = [
        `  # the client ${ids} is there; its secret was handed out when it was made. A new one: askfirst clients create ${system} --scope …`,
      ];
    } else {
      const make = () => createClient({ database, systems: catalogue.systems }, { system, scopes: crmScopes });
      credentials = await makeClient(make, secretFile);
    }
    const url = settings.baseUrl ?? `http://${settings.host}:${settings.port}`;
    print('', ...instructions(catalogue, { system, crm: crm as (typeof crms)[number], url, credentials }));
  });
  // Ours, or the one made for a server of one's own.
  const keyEncryptionKeys = [join(settings.dataFolder, 'key-encryption-keys'), resolve(keyFile)].find(existsSync);
  if (keyEncryptionKeys !== undefined)
    print('', `Keep a copy of ${keyEncryptionKeys} elsewhere: without it no stored personal data can be read.`);
  const notes = join(settings.dataFolder, 'running');
  const runs = existsSync(notes) && livingNotes(notes).length > 0;
  const start =
    process.cwd() === projectFolder
      ? 'npm start'
      : `node ${join(projectFolder, 'src', 'main.ts')}   # in ${process.cwd()}`;
  print(
    '',
    runs ? 'Askfirst runs on these data: start it anew to take up what changed in .env.' : `Start it: ${start}`,
  );
};

/**
 * Sets an installation up in `folder`: controller, settings, database, policies, first client. A second run finds what is there and changes
 * nothing. Throws UsageError where an answer is missing and nobody can be asked.
 */
export const init = async (folder: string, options: InitOptions): Promise<boolean> => {
  mkdirSync(folder, { recursive: true });
  process.chdir(folder);
  const questions = questionsFor(knownJurisdictions(policiesFolder));
  const terminal = process.stdin.isTTY && !options.yes ? converse(questions) : undefined;
  let answers: Answers;
  try {
    const existing = { ...knownEnvironment(), ...knownController(policiesFolder) };
    const { yes: _yes, force: _force, 'secret-to': _file, ...flags } = options;
    answers = terminal ? await terminal.ask(flags, existing) : answersOf(questions, flags, existing);
    if (!terminal && !options.yes) throw new UsageError('nobody can be asked here whether to write: --yes');
    const keyFileIsNew = lacksKeyEncryptionKey();
    const more = keyFileIsNew
      ? {
          KEY_ENCRYPTION_KEYS_FILE: {
            value: keyFile,
            comment: 'Without this file no stored personal data can be read. Keep a copy elsewhere.',
          },
        }
      : {};
    const plan = {
      controller: planController(policiesFolder, answers),
      environment: planEnvironment(answers, more),
    };
    print(...summary(plan), '');
    if (plan.controller.conflicts.length > 0 && !options.force)
      throw new Error(
        `${plan.controller.path} is yours already and says something else: see above, and write it with --force`,
      );
    if (terminal && !(await terminal.confirm('Write this?'))) {
      remark('Nothing was written.');
      return false;
    }
    if (copyDefaultPack(policiesFolder)) print('The default policies are copied to ./policies.');
    if (plan.controller.changes.length > 0) writeFileSync(plan.controller.path, plan.controller.text);
    if (keyFileIsNew && !existsSync(keyFile))
      writeFileSync(keyFile, `${newKeyEncryptionKey(1)}\n`, { mode: 0o600, flag: 'wx' });
    writePrivately(plan.environment.path, plan.environment.text);
  } finally {
    terminal?.end();
  }
  await withInstallation((installation) => setUp(installation, answers.crm, options['secret-to']), { create: true });
  return true;
};
