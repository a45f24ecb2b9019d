import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of /proc a second: sysconf(_SC_CLK_TCK), 100 on every Linux there is. */
const ticksPerSecond = 100;

type Stat = { parent: number; ticks: number; ticksOfEnded: number };

/** proc_pid_stat(5). Undefined where there is no /proc, or no such process any more. */
const statOf = (pid: number | string): Stat | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = (...places: number[]) => places.reduce((sum, place) => sum + Number(fields[place]), 0);
    return { parent: Number(fields[1]), ticks: ticks(11, 12), ticksOfEnded: ticks(13, 14) };
  } catch {
    return undefined;
  }
};

/** CPU seconds that a process has used so far, all threads; NaN where nobody can tell. */
export const cpuOfProcess = (pid: number): number => (statOf(pid)?.ticks ?? NaN) / ticksPerSecond;

/** The process that started `pid`: of a backend the postmaster. NaN when it is not on this machine. */
export const parentOf = (pid: number): number => statOf(pid)?.parent ?? NaN;

/** The same of a process with all its children, those that have ended included. */
export const cpuOfFamily = (pid: number): number => {
  const parent = statOf(pid);
  if (!parent) return NaN;
  let { ticks } = parent;
  ticks += parent.ticksOfEnded;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const child = statOf(name);
    if (child?.parent === pid) ticks += child.ticks;
  }
  return ticks / ticksPerSecond;
};
