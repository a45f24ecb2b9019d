import type { Database } from '../kernel/database/client.ts';
import type { Catalogue } from '../policies/index.ts';
import { addAnswer, type Answers, type ConsentEvent } from './answers.ts';
import { consentOverview, type ScopeOverview } from './consent-overview.ts';
import { ConsentEventNotFound } from './errors.ts';
import type { RecordedEvent } from './record-event.ts';

type Stored = Omit<RecordedEvent, 'notice'> & {
  noticeVersion: number | null;
  noticeLanguage: string | null;
  noticeHash: string | null;
  answer: ConsentEvent['act'];
  rank: ConsentEvent['rank'];
  ownAct: boolean;
};

const columns = `
  subject_id as "subjectId", id, subject_seq as "subjectSeq", purpose, scope, action, notice_version as "noticeVersion",
  notice_language as "noticeLanguage", encode(notice_hash, 'hex') as "noticeHash", method, answer, rank, own_act as "ownAct", system,
  policy_digest as "policyDigest", occurred_at as "occurredAt", recorded_at as "recordedAt", expires_at as "expiresAt"`;

const instant = (text: string): string => Temporal.Instant.from(text).toString();

const shown = ({
  noticeVersion,
  noticeLanguage,
  noticeHash,
  answer: _answer,
  rank: _rank,
  ownAct: _ownAct,
  ...event
}: Stored): RecordedEvent => ({
  ...event,
  notice: noticeVersion === null ? null : { version: noticeVersion, language: noticeLanguage!, hash: noticeHash! },
  occurredAt: instant(event.occurredAt),
  recordedAt: instant(event.recordedAt),
  expiresAt: event.expiresAt && instant(event.expiresAt),
});

/** A page of a subject's events in the order in which they were recorded, after `afterSeq`; `next` where more follow. */
export const readHistory = async (
  database: Database,
  subjectId: string,
  page: { afterSeq: number; limit: number },
): Promise<{ events: RecordedEvent[]; next: number | null }> => {
  const rows = await database.query<Stored>(
    `select ${columns} from consent_event where subject_id = $1 and subject_seq > $2 order by subject_seq limit $3`,
    [subjectId, page.afterSeq, page.limit + 1],
  );
  const events = rows.slice(0, page.limit).map(shown);
  return { events, next: rows.length > page.limit ? events.at(-1)!.subjectSeq : null };
};

/** One event. Throws ConsentEventNotFound. */
export const readEvent = async (database: Database, subjectId: string, eventId: string): Promise<RecordedEvent> => {
  const [event] = await database.query<Stored>(
    `select ${columns} from consent_event where subject_id = $1 and id = $2`,
    [subjectId, eventId],
  );
  if (!event) throw new ConsentEventNotFound();
  return shown(event);
};

/** The answers as they stood when everything recorded up to `asOf` was known and nothing after it. */
export const answersAsOf = async (database: Database, subjectId: string, asOf: Temporal.Instant): Promise<Answers> => {
  const rows = await database.query<Stored>(
    `select ${columns} from consent_event where subject_id = $1 and recorded_at <= $2 order by subject_seq`,
    [subjectId, asOf.toString()],
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
        rank: event.rank,
        own: event.ownAct,
        notice: event.noticeVersion ?? 0,
        ...(event.expiresAt ? { until: Temporal.Instant.from(event.expiresAt).epochMilliseconds } : {}),
        ...(event.action === 'object' ? { objection: true as const } : {}),
      }),
    {},
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
