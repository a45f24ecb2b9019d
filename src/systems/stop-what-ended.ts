import { answersFor, everything, recordedAct, type Consequence } from '../consent/index.ts';
import type { Ids } from '../kernel/ids.ts';
import { row, type Row } from '../subjects/index.ts';
import { newObligation, systemsToTell } from './obligation.ts';
import { obligation } from './table.ts';

/** The row that obliges a system, for the change that causes it. */
export const oblige = (about: Parameters<typeof newObligation>[0]): Row => row(obligation, newObligation(about));

/**
 * Systems that may use the data otherwise than by a link are told to stop, for each purpose that the person had answered or been told of and
 * that this no ends.
 */
export const stopWhatEnded =
  (ids: Ids): Consequence =>
  (ended) => {
    const now = Temporal.Instant.fromEpochMilliseconds(ended.at);
    // Contracts and legal obligations stand: a no to everything does not reach them either.
    const reached = [...ended.catalogue.purposes.values()].filter(
      ({ legalBasis }) => recordedAct('no', legalBasis) === 'no',
    );
    const purposes = ended.purpose === everything ? reached.map(({ id }) => id) : [ended.purpose];
    const used = purposes.filter((purpose) => answersFor(ended.before, purpose).some(({ act }) => act !== 'no'));
    const rows = used.flatMap((purpose) =>
      systemsToTell(ended.catalogue.systems.values(), purpose).map((system) =>
        oblige({
          id: ids.uuid(),
          subjectId: ended.state.subjectId,
          system,
          kind: 'stop',
          facts: { purpose, scope: ended.scope as Record<string, string>, cause: ended.cause },
          now,
        }),
      ),
    );
    return { rows };
  };
