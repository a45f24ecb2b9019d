import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChildren } from './children.ts';
import {
  checkEvents,
  checkLoaded,
  deploy,
  startEcho,
  startInsertOn,
  startServiceOn,
  type Deployment,
} from './deployment.ts';
import { batchSize, type Load } from './load-shape.ts';
import { benchImport } from './import.ts';
import { createMeter, type Measured, type Meter } from './meter.ts';
import { readOptions, usage, type Options } from './options.ts';
import { readProfile } from './profile.ts';
import { createProgress, type Progress } from './progress.ts';
import { describe, figureOf, machine, median, toJson, type Target as Goal } from './report.ts';
import { startServer, type Server, type Statement } from './server.ts';

const kinds = ['echo', 'evaluation', 'evaluations', 'insert', 'consent'] as const;

/** Shorter than a round, longer than what one has to forget of the load before it. */
const settleMs = 300;
/** What V8 needs to compile what is hot; in a short run there is no time for it. */
const warmUpMsOf = ({ seconds }: Options): number => Math.min(2_500, seconds * 1000);

type Rounds = { measured: Record<Load['kind'], Measured[]>; atHalf: { echo: Measured[]; evaluation: Measured[] } };

/** All loads in turn, again and again; then evaluation, and echo beside it, on a timetable of half of what evaluation reached. */
const measureAll = async (
  meter: Meter,
  deployment: Deployment,
  options: Options,
  progress: Progress,
): Promise<Rounds> => {
  const [echo, service, insert] = await Promise.all([
    startEcho(),
    startServiceOn(deployment),
    startInsertOn(deployment),
  ]);
  const { total } = deployment;
  const targets = { echo, evaluation: service, evaluations: service, insert, consent: service };
  const measureMs = options.seconds * 1000;
  await checkLoaded(deployment, service);
  const measured: Rounds['measured'] = { echo: [], evaluation: [], evaluations: [], insert: [], consent: [] };
  const atHalf: Rounds['atHalf'] = { echo: [], evaluation: [] };

  progress.start('measuring', kinds.length * (options.rounds + 1) + 2 * options.rounds);
  for (const kind of kinds) {
    await meter.measure(kind, targets[kind], total, { warmUpMs: warmUpMsOf(options), measureMs: settleMs });
    progress.add(1);
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const kind of kinds) {
      const one = await meter.measure(kind, targets[kind], total, { warmUpMs: settleMs, measureMs });
      if (one.requests === 0) throw new Error(`${kind}: nothing was answered within ${options.seconds} s`);
      measured[kind].push(one);
      progress.add(1);
    }
  }
  const perSecond = median(measured.evaluation.map((round) => round.perSecond)) / 2;
  for (let round = 0; round < options.rounds; round++) {
    for (const kind of ['echo', 'evaluation'] as const) {
      atHalf[kind].push(await meter.measure(kind, targets[kind], total, { warmUpMs: settleMs, measureMs, perSecond }));
      progress.add(1);
    }
  }
  await checkEvents(deployment, meter.consents());
  await Promise.all([echo.child.end(), service.child.end(), insert.child.end()]);
  return { measured, atHalf };
};

/**
 * Where the processor time goes, as text for a person: functions of the service by self time, statements of the embedded PostgreSQL by time.
 * With a service of its own, because looking makes it slower.
 */
const profileService = async (
  server: Server,
  meter: Meter,
  deployment: Deployment,
  options: Options,
): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), 'askfirst-profile-'));
  try {
    const flags = ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', folder];
    const service = await startServiceOn(deployment, flags);
    const measured: { kind: string; load: Measured; statements: Statement[] }[] = [];
    for (const kind of ['evaluation', 'evaluations', 'consent'] as const) {
      await meter.measure(kind, service, deployment.total, { warmUpMs: warmUpMsOf(options), measureMs: settleMs });
      await server.statements();
      const timing = { warmUpMs: 0, measureMs: options.seconds * 1000 };
      const load = await meter.measure(kind, service, deployment.total, timing);
      measured.push({ kind, load, statements: await server.statements() });
    }
    await service.child.end();
    return measured
      .flatMap(({ kind, load, statements }) => {
        const { busy, costs } = readProfile(folder, load.window, 25);
        return [
          `${kind} while profiled: ${Math.round(load.perSecond)}/s, main thread ${Math.round(busy * 100)} % busy, service ${load.serverMicros.toFixed(0)} µs and PostgreSQL ${load.postgresMicros.toFixed(0)} µs of CPU each`,
          ...costs.map(({ where, share }) => `${(share * 100).toFixed(1).padStart(6)} %  ${where}`),
          ...statements.map(
            ({ text, calls, ms, walBytes }) =>
              `${((ms * 1000) / load.requests).toFixed(1).padStart(6)} µs each, ${calls} calls of ${(ms / calls).toFixed(2)} ms, ${Math.round(walBytes / calls)} bytes of WAL: ${text.replaceAll(/\s+/g, ' ').trim().slice(0, 90)}`,
          ),
          '',
        ];
      })
      .join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** How the cost of one evaluation grows with the number of subjects: CPU of service and PostgreSQL, and time, both in turn. */
const measureGrowth = async (server: Server, meter: Meter, large: Deployment, options: Options, progress: Progress) => {
  const small = await deploy(server, 10_000, progress);
  const targets = [await startServiceOn(small), await startServiceOn(large)] as const;
  const [few, many]: [Measured[], Measured[]] = [[], []];
  for (let round = -1; round < options.rounds; round++) {
    const timing = { warmUpMs: round < 0 ? warmUpMsOf(options) : settleMs, measureMs: options.seconds * 1000 };
    const one = await meter.measure('evaluation', targets[0], small.total, timing);
    const other = await meter.measure('evaluation', targets[1], large.total, timing);
    if (round < 0) continue;
    few.push(one);
    many.push(other);
  }
  await Promise.all(targets.map(({ child }) => child.end()));
  const cost = ({ serverMicros, postgresMicros }: Measured): number => serverMicros + postgresMicros;
  return {
    time: median(few.map((round, index) => round.perSecond / many[index]!.perSecond)),
    cpu: median(many.map((round, index) => cost(round) / cost(few[index]!))),
  };
};

const bench = async (options: Options, server: Server): Promise<void> => {
  const progress = createProgress();
  const tell = (text: string): void => void (options.json || console.log(text));
  const deployment = await deploy(server, options.subjects, progress);
  const { loaded } = deployment;
  const [setting] = await server.admin.query<{ version: string; fsync: string }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync`,
  );
  const count = (value: number): string => Math.round(value).toLocaleString('en');
  tell(
    `${machine()}; PostgreSQL ${setting!.version}${server.own ? ' (embedded)' : ''}, fsync ${setting!.fsync}\n` +
      `${count(options.subjects)} subjects × 5 purposes: ${count(loaded.rows)} rows loaded in ${loaded.seconds.toFixed(1)} s, ${count(loaded.rows / loaded.seconds)} rows/s\n` +
      `${options.rounds} rounds of ${options.seconds} s each, 64 clients (evaluations: 4), permits : denials 1 : 1; medians; load, service and PostgreSQL share the processors\n`,
  );
  const meter = await createMeter(server);
  const profiled = options.profile ? await profileService(server, meter, deployment, options) : undefined;
  const { measured, atHalf } = await measureAll(meter, deployment, options, progress);
  const growth = options.grow ? await measureGrowth(server, meter, deployment, options, progress) : undefined;
  await meter.end();
  progress.end();

  const items = Math.min(batchSize, options.subjects);
  const echo = figureOf('echo', measured.echo, measured.echo);
  const evaluation = figureOf('evaluation', measured.evaluation, measured.echo);
  const evaluations = figureOf('evaluations-1000', measured.evaluations, measured.echo, items);
  const insert = figureOf('insert', measured.insert, measured.insert);
  const consent = figureOf('consent', measured.consent, measured.insert);
  const half = {
    echo: figureOf('echo at that rate', atHalf.echo, atHalf.echo),
    evaluation: figureOf('evaluation at half load', atHalf.evaluation, atHalf.echo),
  };
  const goals: Goal[] = [
    { what: 'evaluation : echo', reached: evaluation.ratio, unit: '', limit: 0.7, least: true },
    { what: 'evaluation, p99 at half load', reached: half.evaluation.p99Ms, unit: ' ms', limit: 5, least: false },
    { what: 'evaluations, decisions/s', reached: evaluations.perSecond, unit: '', limit: 100_000, least: true },
    { what: 'consent : insert', reached: consent.ratio, unit: '', limit: 1, least: true },
    ...(growth
      ? [
          {
            what: `CPU of an evaluation, 10,000 to ${count(options.subjects)} subjects`,
            reached: growth.cpu,
            unit: ' ×',
            limit: 1.3,
            least: false,
          },
          { what: `time of an evaluation, the same`, reached: growth.time, unit: ' ×', limit: 1.3, least: false },
        ]
      : []),
  ];
  tell(describe([echo, evaluation, evaluations, insert, consent, half.echo, half.evaluation], goals));
  if (profiled !== undefined) tell(`\n${profiled}`);
  if (options.json) {
    console.log(
      toJson([
        { ...echo, ratioTo: 'echo' },
        { ...evaluation, ratioTo: 'echo', more: { p99MsAtHalfLoad: Number(half.evaluation.p99Ms.toFixed(3)) } },
        { ...evaluations, ratioTo: 'echo' },
        { ...consent, ratioTo: 'insert' },
      ]),
    );
  }
};

const main = async (): Promise<void> => {
  const options = readOptions(process.argv.slice(2));
  const starting = startServer({ countStatements: options.profile });
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> =>
    (ending ??= endChildren().then(async () => {
      const server = await starting.catch(() => undefined);
      await server?.stop();
    }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143)));
  try {
    await (options.import ? benchImport(await starting, options.import) : bench(options, await starting));
  } catch (error) {
    // What fails because we are ending is no news.
    if (ending === undefined) throw error;
  } finally {
    await end();
  }
};

await main().catch((error: Error) => {
  process.stderr.write(
    `${error instanceof TypeError ? `${error.message}\n${usage}` : (error.stack ?? error.message)}\n`,
  );
  process.exitCode = 1;
});
