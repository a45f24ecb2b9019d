/** Tells on standard error how far something is: a bar on a terminal, elsewhere a line for every tenth. */
export type ProgressBar = {
  /** `share` from 0 to 1; `count` of what has been done. */
  show(share: number, count: number): void;
  end(): void;
};

const width = 30;

export const createProgressBar = (
  what: string,
  unit: string,
  stderr: NodeJS.WriteStream = process.stderr,
): ProgressBar => {
  const startedAt = performance.now();
  let [toldAt, toldTenth, from] = [0, 0, undefined as number | undefined];
  return {
    show: (share, count) => {
      from ??= count;
      const now = performance.now();
      const tenth = Math.floor(share * 10);
      if (stderr.isTTY ? share < 1 && now - toldAt < 100 : tenth <= toldTenth) return;
      [toldAt, toldTenth] = [now, tenth];
      const rate = Math.round((count - from) / ((now - startedAt) / 1000));
      const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
      const done = `${count.toLocaleString('en')} ${unit}${rate > 0 ? `, ${rate.toLocaleString('en')} a second` : ''}`;
      const bar = '█'.repeat(Math.floor(share * width)).padEnd(width, '·');
      stderr.write(stderr.isTTY ? `\r\x1b[K${what} ${bar} ${percent}  ${done}` : `${what} ${percent}  ${done}\n`);
    },
    end: () => void (stderr.isTTY && stderr.write('\r\x1b[K')),
  };
};
