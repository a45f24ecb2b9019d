import canonicalize from 'canonicalize';
import { compileRules, judge } from './catalogue.ts';
import { problemLine } from './check.ts';
import { decider } from './decide.ts';
import { PolicyError } from './errors.ts';
import { factLines } from './explain.ts';
import { readContent } from './load.ts';
import { differences, playCases, type PlayedCase } from './run-cases.ts';

/**
 * Plays the cases of a policy folder for whoever is writing it: `text` is one line where all come out as they say, else every problem and,
 * of each case that comes out otherwise, which rules spoke, which should have, and the facts they looked at.
 */
export async function testPolicies(folder: string): Promise<{ ok: boolean; text: string }> {
  try {
    const { content, locate } = await readContent(folder);
    const judged = judge(content, canonicalize(content)!);
    if (!Array.isArray(judged)) {
      const { rules, cases } = judged;
      return { ok: true, text: `${cases.length} cases of ${rules.length} rules come out as they say\n` };
    }
    const { rules, slots, flaws } = compileRules(content.rules, new Map());
    const played = flaws.length > 0 ? [] : playCases(content, decider(rules, slots)).played;
    const failed = played.filter((one) => differences(one.case, one.verdict).length > 0);
    return failure(judged.map(locate).map(problemLine), failed);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return failure(error.problems.map(problemLine), []);
  }
}

const failure = (problems: readonly string[], failed: readonly PlayedCase[]) => ({
  ok: false,
  text: [...failed.flatMap(traceOf), ...problems, `${problems.length} problem(s)`, ''].join('\n'),
});

function traceOf({ case: { name, fires, expect }, facts, verdict }: PlayedCase): string[] {
  const spoke = verdict.trace.filter(({ fired }) => fired);
  const silent = verdict.trace.filter(({ id, fired }) => !fired && fires.includes(id));
  return [
    `case "${name}": expects ${expect}, comes out as ${verdict.permit ? 'permit' : 'deny'}`,
    ...spoke.map(({ id, effect }) => `  ${effect} ${id} fires${fires.includes(id) ? '' : ', not expected'}`),
    ...silent.map(
      ({ id, effect, applies }) =>
        `  ${effect} ${id} does not fire${applies ? '' : `: it is not about ${facts.action}`}, expected`,
    ),
    ...factLines(facts).map((line) => `  ${line}`),
    '',
  ];
}
