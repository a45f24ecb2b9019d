import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

type CpuProfile = {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
  /** Microseconds of the monotonic clock that `process.hrtime` reads too. */
  startTime: number;
};

/** A stretch of time on the monotonic clock, in microseconds. */
export type Window = { from: number; to: number };
export const monotonicMicros = (): number => Number(process.hrtime.bigint() / 1000n);

export type Cost = { where: string; share: number };

const root = join(import.meta.dirname, '..');
const shortened = (url: string): string => {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return path.startsWith(root) ? path.slice(root.length + 1).replace(/^.*node_modules\//, '') : path;
};

/**
 * Reads the only .cpuprofile of a folder and answers where the processor was within `window`: functions by self time, most first, as
 * shares of the time in which it was not idle, and how much of the window that was.
 */
export const readProfile = (folder: string, { from, to }: Window, top: number): { busy: number; costs: Cost[] } => {
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  const profile = JSON.parse(readFileSync(join(folder, file!), 'utf8')) as CpuProfile;
  const places = new Map<number, string>();
  for (const { id, callFrame } of profile.nodes) {
    const { functionName, url, lineNumber } = callFrame;
    places.set(id, `${functionName || '(anonymous)'} ${url ? `${shortened(url)}:${lineNumber + 1}` : ''}`.trim());
  }
  const micros = new Map<string, number>();
  let at = profile.startTime;
  let idle = 0;
  let all = 0;
  profile.samples.forEach((id, index) => {
    // A sample stands for the time until the next one.
    at += profile.timeDeltas[index]!;
    if (at < from || at > to) return;
    const took = profile.timeDeltas[index + 1] ?? 0;
    const place = places.get(id)!;
    all += took;
    if (place === '(idle)') idle += took;
    else micros.set(place, (micros.get(place) ?? 0) + took);
  });
  if (all === 0) throw new Error('the profile has no sample of the measured time');
  const costs = [...micros].map(([where, took]) => ({ where, share: took / (all - idle) }));
  return { busy: (all - idle) / all, costs: costs.toSorted((a, b) => b.share - a.share).slice(0, top) };
};
