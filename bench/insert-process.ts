import { Hono } from 'hono';
import postgres from 'postgres';
import { hashOfWords } from '../src/consent/notice.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { uuidV7s } from '../src/kernel/ids.ts';
import type { consentInputSchema } from '../src/consent/schema.ts';
import { subjectIdOf } from './population.ts';
import { serveBare } from './serve-bare.ts';

/**
 * What the recording of consent is compared with: one prepared INSERT of the same event per request through the usual pool of ten. It
 * checks nothing, and it knows the subject's id without looking it up.
 */
const env = process.env as Record<'DATABASE_URL' | 'TOTAL' | 'NOW_MS' | 'POLICY_DIGEST' | 'NOTICE', string>;
const sql = postgres(env.DATABASE_URL, { max: 10, onnotice: () => {} });
const ids = uuidV7s(systemClock);
const noticeHash = hashOfWords(env.NOTICE);

serveBare(
  new Hono().post('/v1/consents', async (c) => {
    const body = await c.req.json<(typeof consentInputSchema)['_input']>();
    const n = Number(body.subject.slice('crm:'.length)) - 100_000_000;
    const id = ids.uuid();
    const now = new Date().toISOString();
    await sql`
      insert into consent_event (subject_id, id, subject_seq, purpose, scope, action, answer, notice_version, notice_language, notice_hash, method,
        rank, own_act, system, policy_digest, occurred_at, recorded_at, expires_at)
      values (${subjectIdOf(n, Number(env.TOTAL), Number(env.NOW_MS))}, ${id}, ${0}, ${body.purpose}, ${sql.json(body.scope!)}, 'give', 'yes',
        ${body.notice.version}, ${body.notice.language}, ${noticeHash}, ${body.method}, 'self', true, 'bare-insert', ${env.POLICY_DIGEST},
        ${now}, now(), ${now})`;
    return c.json({ id }, 201);
  }),
);
