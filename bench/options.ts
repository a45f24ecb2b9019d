import { parseArgs } from 'node:util';

export type Options = {
  json: boolean;
  profile: boolean;
  grow: boolean;
  subjects: number;
  /** Measured time of each load in each round. */
  seconds: number;
  rounds: number;
  /** Instead of the loads: an import of this many lines. */
  import: { lines: number; kill: boolean; profile: boolean } | undefined;
};

export const usage = `npm run bench [-- options]
  --quick         20,000 subjects, done within two minutes
  --subjects N    this many subjects (1,000,000)
  --seconds S     measured time of each load in each round (4; quick: 2)
  --rounds R      rounds, of which the medians are told (7; quick: 4)
  --json          figures as JSON on standard output
  --profile       where the service's processor time goes, for evaluation and for consent
  --grow          how the cost of an evaluation grows from 10,000 subjects to N
  import          instead: an import beside COPY, its memory, killed and resumed
  --lines N       this many lines (1,000,000)
  --no-kill       without killing it
PostgreSQL: BENCH_DATABASE_URL or TEST_DATABASE_URL (superuser of a server for trials), else an embedded one.`;

const number = (name: string, text: string | undefined, otherwise: number, least: number, most: number): number => {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new TypeError(`--${name} must be a number from ${least} to ${most}`);
  return value;
};

/** Reads the command line; throws TypeError with what is wrong. */
export const readOptions = (commandLine: readonly string[]): Options => {
  const { values, positionals } = parseArgs({
    args: [...commandLine],
    allowPositionals: true,
    allowNegative: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      grow: { type: 'boolean', default: false },
      subjects: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      lines: { type: 'string' },
      kill: { type: 'boolean', default: true },
    },
  });
  const { quick, json, profile, grow, kill } = values;
  if (positionals.some((word) => word !== 'import')) throw new TypeError(`"${positionals[0]}" is not understood`);
  return {
    json,
    profile,
    grow,
    subjects: Math.floor(number('subjects', values.subjects, quick ? 20_000 : 1_000_000, 100, 100_000_000)),
    seconds: number('seconds', values.seconds, quick ? 2 : 4, 0.2, 120),
    rounds: Math.floor(number('rounds', values.rounds, quick ? 4 : 7, 1, 50)),
    import:
      positionals.length === 0
        ? undefined
        : { lines: Math.floor(number('lines', values.lines, 1_000_000, 100, 100_000_000)), kill, profile },
  };
};
