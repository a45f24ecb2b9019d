import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Measured } from './meter.ts';

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Medians over rounds. `ratio`: of the rates within a round, so that both are of the same moments. */
export type Figure = {
  name: string;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  serverMicros: number;
  postgresMicros: number;
  generatorMicros: number;
  ratio: number;
};

/** `per`: how many decisions one request holds; `baseline` the measurements of the same rounds to compare with. */
export const figureOf = (name: string, rounds: readonly Measured[], baseline: readonly Measured[], per = 1): Figure => {
  const of = (member: 'perSecond' | 'p50Ms' | 'p99Ms' | 'serverMicros' | 'postgresMicros' | 'generatorMicros') =>
    median(rounds.map((round) => round[member]));
  return {
    name,
    perSecond: of('perSecond') * per,
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    serverMicros: of('serverMicros') / per,
    postgresMicros: of('postgresMicros') / per,
    generatorMicros: of('generatorMicros') / per,
    ratio: median(rounds.map((round, index) => (round.perSecond * per) / baseline[index]!.perSecond)),
  };
};

export type Target = { what: string; reached: number; unit: string; limit: number; least: boolean };

const whole = (value: number): string => (Number.isNaN(value) ? '?' : Math.round(value).toLocaleString('en'));
const right = (cells: readonly string[], widths: readonly number[]): string =>
  cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index]!))).join('  ');

export const machine = (): string => {
  const [first] = cpus();
  return `${availableParallelism()} × ${first?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
};

/** The table and the targets of DESIGN section 12, in words. */
export const describe = (figures: readonly Figure[], targets: readonly Target[]): string => {
  const rows = [
    ['', 'per second', 'p50 ms', 'p99 ms', 'CPU service µs', 'PostgreSQL µs', 'generator µs', 'ratio'],
    ...figures.map((figure) => [
      figure.name,
      whole(figure.perSecond),
      figure.p50Ms.toFixed(2),
      figure.p99Ms.toFixed(2),
      figure.serverMicros.toFixed(1),
      figure.postgresMicros.toFixed(1),
      figure.generatorMicros.toFixed(1),
      figure.ratio.toFixed(2),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const judged = targets.map(({ what, reached, unit, limit, least }) => {
    const met = least ? reached >= limit : reached <= limit;
    const number = reached >= 1000 ? whole(reached) : reached.toFixed(2);
    return `${met ? 'met   ' : 'missed'}  ${what}: ${number}${unit}, target ${least ? '≥' : '≤'} ${limit >= 1000 ? whole(limit) : limit}${unit}`;
  });
  const byName = new Map(figures.map((figure) => [figure.name, figure.serverMicros]));
  const cpu = (baseline: string, name: string): string =>
    `${baseline} : ${name} ${(byName.get(baseline)! / byName.get(name)!).toFixed(2)}`;
  return [
    ...rows.map((row) => right(row, widths)),
    `CPU of the server's process alone, which a busy machine changes less: ${cpu('echo', 'evaluation')}, ${cpu('insert', 'consent')}`,
    '',
    ...judged,
  ].join('\n');
};

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** The figures for machines. */
export const toJson = (
  figures: readonly (Figure & { ratioTo: 'echo' | 'insert'; more?: Record<string, number> })[],
): string =>
  JSON.stringify({
    figures: figures.map(({ name, perSecond, p50Ms, p99Ms, ratio, ratioTo, more }) => ({
      name,
      perSecond: rounded(perSecond, 1),
      p50Ms: rounded(p50Ms, 3),
      p99Ms: rounded(p99Ms, 3),
      [ratioTo === 'echo' ? 'ratioToEcho' : 'ratioToInsert']: rounded(ratio, 3),
      ...more,
    })),
  });
