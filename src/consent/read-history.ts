import type { Database } from '../kernel/database/client.ts';
import type { Catalogue } from '../policies/index.ts';
import { addAnswer, type Answers } from './answers.ts';
import { consentOverview, type ScopeOverview } from './consent-overview.ts';
import { ConsentEventNotFound } from './errors.ts';
import type { RecordedEvent } from './commit-events.ts';

type Stored = Omit<RecordedEvent, 'notice'> & {
  noticeVersion: number | null;
  noticeLanguage: string | null;
  noticeHash: string | null;
  ownAct: boolean;
  guardianOk: boolean | null;
  despiteGpc: boolean | null;
};

const columns = `
  subject_id as "subjectId", id, subject_seq as "subjectSeq", purpose, scope, action, notice_version as "noticeVersion",
  notice_language as "noticeLanguage", encode(notice_hash, 'hex') as "noticeHash", method, answer, rank as "by", own_act as "ownAct",
  guardian_ok as "guardianOk", despite_gpc as "despiteGpc", confirms, campaign, system,
  policy_digest as "policyDigest", occurred_at as "occurredAt", recorded_at as "recordedAt", expires_at as "expiresAt"`;

const instant = (text: string): string => Temporal.Instant.from(text).toString();

const shown = ({
  noticeVersion,
  noticeLanguage,
  noticeHash,
  ownAct: _ownAct,
  guardianOk: _guardianOk,
  despiteGpc: _despiteGpc,
  ...event
}: Stored): RecordedEvent => ({
  ...event,
  notice: noticeVersion === null ? null : { version: noticeVersion, language: noticeLanguage!, hash: noticeHash! },
  occurredAt: instant(event.occurredAt),
  recordedAt: instant(event.recordedAt),
  expiresAt: event.expiresAt && instant(event.expiresAt),
});

/**
 * A page of a subject's events in the order in which they were recorded, after the event `after` (`<subjectSeq>.<id>`); `next` where more follow.
 */
export const readHistory = async (
  database: Database,
  subjectId: string,
  page: { after: string | undefined; limit: number },
): Promise<{ events: RecordedEvent[]; next: string | null }> => {
  // One change may record several events: its number alone is no place to go on from.
  const [seq = '0', id = '00000000-0000-0000-0000-000000000000'] = page.after?.split('.') ?? [];
  const rows = await database.read<Stored>(
    `select ${columns} from consent_event where subject_id = $1 and (subject_seq, id) > ($2::int, $3::uuid)
     order by subject_seq, id limit $4`,
    [subjectId, seq, id, page.limit + 1],
  );
  const events = rows.slice(0, page.limit).map(shown);
  const last = events.at(-1);
  return { events, next: rows.length > page.limit ? `${last!.subjectSeq}.${last!.id}` : null };
};

/** One event. Throws ConsentEventNotFound. */
export const readEvent = async (database: Database, subjectId: string, eventId: string): Promise<RecordedEvent> => {
  const [event] = await database.read<Stored>(
    `select ${columns} from consent_event where subject_id = $1 and id = $2`,
    [subjectId, eventId],
  );
  if (!event) throw new ConsentEventNotFound();
  return shown(event);
};

/** The yes that confirmed a pending one; undefined where none did. */
export const readConfirmed = async (
  database: Database,
  subjectId: string,
  pendingId: string,
): Promise<RecordedEvent | undefined> => {
  const [event] = await database.read<Stored>(
    `select ${columns} from consent_event where subject_id = $1 and confirms = $2`,
    [subjectId, pendingId],
  );
  return event && shown(event);
};

/**
 * The answers as they stood when everything recorded up to `asOf` was known and nothing after it: those of the last revision until then, and
 * the events since.
 */
export const answersAsOf = async (database: Database, subjectId: string, asOf: Temporal.Instant): Promise<Answers> => {
  const [revision] = await database.read<{ subjectSeq: number; answers: Answers }>(
    `select subject_seq as "subjectSeq", answers from consent_revision
     where subject_id = $1 and recorded_at <= $2 order by subject_seq desc limit 1`,
    [subjectId, asOf.toString()],
  );
  const rows = await database.read<Stored>(
    `select ${columns} from consent_event where subject_id = $1 and recorded_at <= $2 and subject_seq > $3
     order by subject_seq, id`,
    [subjectId, asOf.toString(), revision?.subjectSeq ?? 0],
  );
  return rows.reduce<Answers>(
    (answers, event) =>
      addAnswer(answers, {
        purpose: event.purpose,
        act: event.answer,
        scope: event.scope,
        at: Temporal.Instant.from(event.occurredAt).epochMilliseconds,
        seq: event.subjectSeq,
        id: event.id,
        rank: event.by,
        own: event.ownAct,
        notice: event.noticeVersion ?? 0,
        ...(event.expiresAt ? { until: Temporal.Instant.from(event.expiresAt).epochMilliseconds } : {}),
        ...(event.guardianOk === null ? {} : { guardianOk: event.guardianOk }),
        ...(event.action === 'object' ? { objection: true as const } : {}),
        ...(event.method === 'gpc' ? { signal: true as const } : {}),
        ...(event.despiteGpc ? { despiteGpc: true as const } : {}),
      }),
    revision?.answers ?? {},
  );
};

export type PurposeStatus = { purpose: string; legalBasis: string; scopes: readonly ScopeOverview[] };

/** Where a person stands on every purpose of the catalogue at `at`, with exceptions, and on `*` where they said no to everything. */
export const statusOfAll = (answers: Answers, catalogue: Catalogue, at: Temporal.Instant): PurposeStatus[] =>
  [...catalogue.purposes.values()].map((purpose) => ({
    purpose: purpose.id,
    legalBasis: purpose.legalBasis,
    scopes: consentOverview(answers, purpose.id, at.epochMilliseconds, purpose),
  }));
