/** Tells on standard error how far something is: a bar on a terminal, elsewhere a line every ten per cent. */
export type Progress = {
  start(what: string, total: number): void;
  add(count: number): void;
  say(text: string): void;
  end(): void;
};

export const createProgress = (): Progress => {
  const { stderr } = process;
  let [what, total, done, toldAt, startedAt] = ['', 1, 0, 0, 0];
  const show = (force: boolean): void => {
    const share = done / total;
    const now = performance.now();
    if (!force && (stderr.isTTY ? now - toldAt < 100 : share < toldAt + 0.1)) return;
    toldAt = stderr.isTTY ? now : share;
    const rate = total > 1000 ? `  ${Math.round(done / ((now - startedAt) / 1000)).toLocaleString('en')}/s` : '';
    const bar = '█'.repeat(Math.floor(share * 30)).padEnd(30, '·');
    const line = `${what} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %${rate}`;
    stderr.write(stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  };
  return {
    start: (text, count) => {
      [what, total, done, toldAt, startedAt] = [text, count, 0, 0, performance.now()];
    },
    add: (count) => {
      done += count;
      show(done >= total);
    },
    say: (text) => void stderr.write(stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`),
    end: () => void (stderr.isTTY && stderr.write('\r\x1b[K')),
  };
};
