import type { Catalogue } from '../policies/index.ts';
import { SubjectErased, throughAliases, type Caller } from '../subjects/index.ts';
import { recordedAct } from './answers.ts';
import { commitEvents, gpcOf, type Gpc, type NewEvent } from './commit-events.ts';
import { microseconds, type ConsentDeps } from './record-event.ts';

/**
 * Takes note of what the browser of a person says by Sec-GPC (w3c.github.io/gpc): turned on, it is an objection to every purpose that the policies
 * mark so, and thereby a no where nothing was chosen; what the person said yes to while it was on stays (`despiteGpc`). Recorded once per change
 * of the signal, and once for a purpose that the policies mark while it is on; turned off, it gives nothing back.
 * Answers whether anything changed. Errors: SubjectErased.
 */
export const recordGpcSignal = async (
  deps: ConsentDeps,
  caller: Caller,
  catalogue: Catalogue,
  input: { subjectId: string; on: boolean },
): Promise<boolean> => {
  const now = microseconds(deps.clock.now());
  const { subjectId } = await throughAliases(deps, await deps.reader.state(input.subjectId));
  let isAlias = false;
  const changed = await deps.writer.change(
    subjectId,
    { verb: input.on ? 'gpc-on' : 'gpc-off', caller, urgent: input.on },
    (state, seq) => {
      if (state.erasedAt) throw new SubjectErased();
      const before = gpcOf(state);
      // The record was merged since: the one that it became part of has to hear it.
      isAlias = state.mergedInto !== null;
      if (isAlias) return undefined;
      const objected = before === false ? [] : before.objected;
      const ended = input.on
        ? [...catalogue.purposes.values()].filter(({ id, endedByGpc }) => endedByGpc && !objected.includes(id))
        : [];
      if ((before !== false) === input.on && ended.length === 0) return undefined;
      const events = ended.map((purpose): NewEvent => ({
        id: deps.ids.uuid(),
        purpose: purpose.id,
        scope: {},
        action: 'object',
        answer: recordedAct('no', purpose.legalBasis),
        method: 'gpc',
        rank: 'self',
        occurredAt: now,
        system: caller.system,
        policyDigest: catalogue.digest,
      }));
      const change = commitEvents(deps.consequences, catalogue, state, seq, events, now);
      const gpc: Gpc = input.on && {
        since: before === false ? now.epochMilliseconds : before.since,
        objected: [...objected, ...ended.map(({ id }) => id)],
      };
      return { ...change, signals: { ...(state.signals as object), gpc } };
    },
  );
  return isAlias ? recordGpcSignal(deps, caller, catalogue, input) : changed !== undefined;
};
