import type { Catalogue } from './catalogue.ts';
import { PolicyError, type Problem } from './errors.ts';
import { loadCatalogue } from './load.ts';

/**
 * Checks a policy folder: `text` is the matrix of its rules and cases, or every problem that keeps it from loading (then
 * `ok` is false). An assessment whose review is overdue on `today` (ISO date) is pointed out; it does not keep a set from
 * loading, because the service must not go down on the day of a review.
 */
export async function checkPolicies(folder: string, today: string): Promise<{ ok: boolean; text: string }> {
  try {
    const catalogue = await loadCatalogue(folder);
    return { ok: true, text: [...matrix(catalogue), ...overdueReviews(catalogue, today)].join('\n') + '\n' };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const lines = error.problems.map(problemLine);
    return { ok: false, text: [...lines, `${lines.length} problem(s); this folder does not load`, ''].join('\n') };
  }
}

/** A problem as editors and terminals know how to follow it. */
export const problemLine = ({ file, line, member, message }: Problem): string =>
  `${file}:${line}: ${member}: ${message}`;

/** Rules down, cases across, in blocks that fit a terminal. */
function matrix({ digest, rules, cases }: Catalogue): string[] {
  const blockSize = 60;
  const widest = Math.max(...rules.map(({ id }) => id.length));
  const lines = [
    `policy set ${digest}`,
    `${rules.length} rules, ${cases.length} cases: every rule fires in a case, every case comes out as it says`,
    '● fires   · is about the action and does not fire   P permit, D deny',
  ];
  for (let from = 0; from < cases.length; from += blockSize) {
    const block = cases.slice(from, from + blockSize);
    const numbers = block.map((_, index) => String(from + index + 1).padStart(3));
    const gap = ' '.repeat(widest + 2);
    lines.push('');
    for (const digit of [0, 1, 2]) lines.push(gap + numbers.map((number) => number[digit]).join(''));
    rules.forEach(({ id }, row) => {
      const marks = block.map(({ verdict }) => {
        const { applies, fired } = verdict.trace[row]!;
        return fired ? '●' : applies ? '·' : ' ';
      });
      lines.push(`${id.padEnd(widest)}  ${marks.join('')}`.trimEnd());
    });
    lines.push(gap + block.map(({ verdict }) => (verdict.permit ? 'P' : 'D')).join(''));
  }
  lines.push('');
  cases.forEach(({ case: { name }, verdict: { permit, obligations } }, index) => {
    const duties = obligations.length > 0 ? ` (${obligations.join(', ')})` : '';
    lines.push(`${String(index + 1).padStart(3)} ${permit ? 'permit' : 'deny  '} ${name}${duties}`);
  });
  return lines;
}

function overdueReviews({ purposes }: Catalogue, today: string): string[] {
  const overdue = [...purposes.values()].filter(({ assessment }) => assessment && assessment.reviewBy < today);
  if (overdue.length === 0) return [];
  return [
    '',
    ...overdue.map(({ id, assessment }) => `${id}: its assessment was to be reviewed by ${assessment!.reviewBy}`),
  ];
}
