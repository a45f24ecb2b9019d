/** Lines on standard output. */
export const print = (...lines: string[]): void => void process.stdout.write(`${lines.join('\n')}\n`);

/** What is for the reader's eyes only, and not for whoever takes the output on. */
export const remark = (line: string): void => void process.stderr.write(`${line}\n`);

/** Rows in columns that are as wide as they need to be. */
export const table = (rows: readonly (readonly string[])[]): string[] => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
};
