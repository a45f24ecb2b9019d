import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigInvalid, readConfig } from '../config.ts';
import { systemClock, type Clock } from '../kernel/clock.ts';
import { connect } from '../kernel/database/client.ts';
import { AppError } from '../kernel/errors.ts';
import { createDeploymentReader, createPolicySets } from '../policies/index.ts';
import { databaseChecks, firstChecks } from './doctor/database-checks.ts';
import { fail, type Check, type Checked, type Finding, type Patient } from './doctor/finding.ts';
import { keyChecks } from './doctor/key-checks.ts';
import { policyChecks } from './doctor/policy-checks.ts';
import { settingChecks } from './doctor/setting-checks.ts';
import { systemChecks } from './doctor/system-checks.ts';
import { withInstallation, type Installation } from './installation.ts';
import { print, table } from './print.ts';

const withinMs = 10_000;

const problemOf = (error: unknown): Checked =>
  fail(
    // Errors of ours hold no secret and no person; of others only the kind is said.
    error instanceof AppError ? error.message : `it could not be checked (${(error as Error).name})`,
    'see the log of the service, and ask again',
  );

const run = async (checks: readonly Check[], patient: Patient): Promise<Finding[]> =>
  Promise.all(
    checks.map(async ({ name, run: examine }) => {
      const timeUp = new AbortController();
      const late = sleep(withinMs, undefined, { signal: timeUp.signal }).then(
        () =>
          fail(`no answer within ${withinMs / 1000} s`, 'see whether the database or the server it asks is overloaded'),
        () => fail('', ''),
      );
      const checked = await Promise.race([Promise.resolve(patient).then(examine).catch(problemOf), late]);
      timeUp.abort();
      return { check: name, ...checked };
    }),
  );

/** Looks at everything, at once; changes nothing. Where a database cannot be used, what lies in it is not asked about. */
export const diagnose = async (
  { settings, urls, keyEncryptionKeys }: Installation,
  about: Pick<Patient, 'mail' | 'isEmbedded'> & { clock?: Clock },
): Promise<Finding[]> => {
  const options = { connections: 4, prepare: settings.prepare, statementTimeoutMs: 8_000, name: 'askfirst-doctor' };
  const [data, keys] = [connect(urls.app, options), connect(urls.keys, options)];
  const policySets = createPolicySets(data, createDeploymentReader(data, withinMs));
  const patient = { clock: systemClock, ...about, settings, urls, keyEncryptionKeys, data, keys, policySets };
  try {
    const first = await run([...settingChecks, ...firstChecks], patient);
    if (first.some(({ check, level }) => level === 'fail' && firstChecks.some(({ name }) => name === check)))
      return first;
    return [...first, ...(await run([...databaseChecks, ...keyChecks, ...policyChecks, ...systemChecks], patient))];
  } finally {
    await Promise.all([data.end(), keys.end()]);
  }
};

/** Without settings that can be read, or a database folder, nothing else can be asked about. */
const diagnoseInstallation = async (): Promise<Finding[]> => {
  let config: ReturnType<typeof readConfig>;
  try {
    config = readConfig();
  } catch (error) {
    const found = error instanceof ConfigInvalid ? error.message : 'a file that the environment names cannot be read';
    return [
      {
        check: 'settings',
        ...fail(found, 'put it right in the environment or in .env; .env.example describes every variable'),
      },
    ];
  }
  try {
    return await withInstallation((installation) =>
      diagnose(installation, { mail: config.secrets.mail, isEmbedded: config.secrets.urls === undefined }),
    );
  } catch (error) {
    return [
      {
        check: 'database',
        ...fail((error as Error).message, 'run "askfirst init", or name your database in DATABASE_URL'),
      },
    ];
  }
};

/** Resolves to false when something fails; warnings are for whoever reads them. */
export const doctor = async ({ json = false } = {}): Promise<boolean> => {
  const findings = await diagnoseInstallation();
  if (json) print(JSON.stringify(findings, undefined, 2));
  else {
    const words = { ok: 'ok', warn: 'WARN', fail: 'FAIL' };
    const heads = table(findings.map(({ level, check, found }) => [words[level], check, found.replaceAll('\n', ' ')]));
    findings.forEach((finding, index) => {
      print(heads[index]!, ...(finding.level === 'ok' ? [] : [`      -> ${finding.todo}`]));
    });
  }
  return !findings.some(({ level }) => level === 'fail');
};
