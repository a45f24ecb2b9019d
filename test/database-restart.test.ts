import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEmbedded, type Embedded } from '../src/embedded.ts';
import { connect, type Database } from '../src/kernel/database/client.ts';
import { createLog } from '../src/kernel/log.ts';
import { startService, type Service } from '../src/main.ts';
import { loadCatalogue } from '../src/policies/index.ts';
import { createClient } from '../src/systems/index.ts';
import { testSettings } from './support/app.ts';

const log = createLog({ level: 'silent', stream: process.stdout, personal: new Set() });
let folder: string;
let embedded: Embedded;
let service: Service;
let db: Database;
let authorization: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'askfirst restart '));
  embedded = await startEmbedded(folder, { info: () => {}, warn: () => {} });
  service = await startService({
    settings: testSettings,
    urls: embedded.secrets.urls,
    keyEncryptionKeys: embedded.secrets.keyEncryptionKeys,
    log,
  });
  db = connect(embedded.secrets.urls.app, { connections: 1 });
  const { systems } = await loadCatalogue(testSettings.policiesFolder);
  const { clientId, clientSecret } = await createClient(
    { database: db, systems },
    { system: 'crm', scopes: ['consents:write', 'decisions:evaluate', 'subjects:write'] },
  );
  const answer = await fetch(`${service.url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }),
  });
  authorization = `Bearer ${((await answer.json()) as { access_token: string }).access_token}`;
});

afterAll(async () => {
  await service?.stop();
  await db?.end();
  await embedded?.stop();
  await rm(folder, { recursive: true, force: true });
});

const post = async (path: string, body: unknown): Promise<{ status: number; body: any }> => {
  const answer = await fetch(service.url + path, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
};

const consent = (customer: string, decision: 'given' | 'refused') =>
  post('/v1/consents', {
    subject: customer,
    purpose: 'profile-enrichment',
    decision,
    notice: { version: 1, language: 'en' },
    method: 'app',
  });

/** May what is known of this customer be kept for the purpose that they agreed to. */
const mayRetain = (customer: string) =>
  post('/access/v1/evaluation', {
    subject: { type: 'system', id: 'crm' },
    action: { name: 'retain' },
    resource: { type: 'customer', id: customer },
    context: { purpose: 'profile-enrichment', customer },
  });

const postmasterPid = async (): Promise<number> =>
  Number((await readFile(join(folder, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0]);

test('the service outlives kill -9 of the database under load: 503 meanwhile, recovery by itself, every acknowledged event there exactly once, every permit on record', async () => {
  const crashes: unknown[] = [];
  const onCrash = (error: unknown) => crashes.push(error);
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
  const acknowledged = new Map<string, string>();
  const permitted = new Set<string>();
  const agreed = Array.from({ length: 10 }, (_, index) => `crm:agreed-${index}`);
  for (const customer of agreed) expect((await consent(customer, 'given')).status).toBe(201);
  const statuses = new Map<number, number>();
  const askedStatuses = new Set<number>();
  let running = true;
  try {
    const client = async (name: number) => {
      for (let i = 0; running && i < 20_000; i++) {
        const customer = `crm:${name}-${i % 40}`;
        const answer = await consent(customer, i % 3 === 0 ? 'refused' : 'given');
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 201) acknowledged.set(answer.body.event.id, answer.body.event.subjectId);
        else await sleep(20);
      }
    };
    const asker = async (name: number) => {
      for (let i = 0; running && i < 20_000; i++) {
        const answer = await mayRetain(agreed[(name + i) % agreed.length]!);
        askedStatuses.add(answer.status);
        if (answer.status === 200) {
          // These have all said yes and never no: whatever becomes of the database, the answer is yes or none at all.
          expect(answer.body.decision, JSON.stringify(answer.body)).toBe(true);
          permitted.add(answer.body.context.decisionId);
        } else await sleep(20);
      }
    };
    const clients = [
      ...Array.from({ length: 16 }, (_, name) => client(name)),
      ...Array.from({ length: 8 }, (_, name) => asker(name)),
    ];
    for (let round = 0; round < 3; round++) {
      await sleep(1_500);
      process.kill(await postmasterPid(), 'SIGKILL');
      const before = { acknowledged: acknowledged.size, permitted: permitted.size };
      const recovery = { timeout: 30_000, interval: 50 };
      await expect.poll(() => acknowledged.size, recovery).toBeGreaterThan(before.acknowledged + 50);
      await expect.poll(() => permitted.size, recovery).toBeGreaterThan(before.permitted + 50);
    }
    running = false;
    await Promise.all(clients);
  } finally {
    running = false;
    process.off('uncaughtException', onCrash);
    process.off('unhandledRejection', onCrash);
  }
  expect(crashes).toEqual([]);
  // 401 would say that revocation could not be judged; anything but 201 and 503 is a lie about what happened.
  expect([...statuses.keys()].toSorted((one, other) => one - other)).toEqual(statuses.has(503) ? [201, 503] : [201]);
  expect(acknowledged.size).toBeGreaterThan(300);
  for (const status of askedStatuses) expect([200, 503]).toContain(status);
  expect(permitted.size).toBeGreaterThan(150);

  const events = await db.query<{ id: string; subjectId: string; seq: number }>(
    'select id, subject_id as "subjectId", subject_seq as seq from consent_event',
  );
  const stored = new Map(events.map((event) => [event.id, event]));
  for (const [id, subjectId] of acknowledged) expect(stored.get(id)?.subjectId).toBe(subjectId);

  const onRecord = await db.query<{ id: string }>(
    `select decision->>'id' as id from permit cross join json_array_elements(decisions) decision`,
  );
  const recordedOnce = new Set(onRecord.map(({ id }) => id));
  expect(recordedOnce.size, 'none twice').toBe(onRecord.length);
  expect([...permitted].filter((decisionId) => !recordedOnce.has(decisionId))).toEqual([]);

  // Nothing half-done: each event has its audit row, and no state has more or fewer versions than it has changes.
  const [orphans] = await db.query<{ count: number }>(
    `select count(*)::int as count from consent_event e
     where not exists (select from audit_event a where a.subject_id = e.subject_id and a.version = e.subject_seq)`,
  );
  expect(orphans!.count).toBe(0);
  const drifted = await db.query(
    `select s.subject_id from subject_state s join audit_event a on a.subject_id = s.subject_id
     group by s.subject_id, s.version having s.version <> count(*)`,
  );
  expect(drifted).toEqual([]);
});
