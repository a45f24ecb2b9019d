import { startServer } from './server.ts';
import { deploy } from './deployment.ts';
import { accountOf, crmOf } from './population.ts';
import { connect } from '../src/kernel/database/client.ts';
import { createProgress } from './progress.ts';
import { createKeyStore } from '../src/kernel/crypto/key-store.ts';
import { localKeyEncryption } from '../src/kernel/crypto/key-encryption.ts';
import { createSubjectReader } from '../src/subjects/index.ts';
import { createPolicySets, createDeploymentReader } from '../src/policies/index.ts';
import { createPermitRecorder, createDenialRecorder, evaluate } from '../src/decisions/index.ts';
import { uuidV7s } from '../src/kernel/ids.ts';
import { systemClock } from '../src/kernel/clock.ts';

const server = await startServer(() => {});
try {
const d = await deploy(server, 20000, createProgress(false) as any);
const raw = connect(d.store.urls.app, { connections: 4 });
const timings = new Map<string, [number, number]>();
const db = { ...raw, query: async (text: string, params?: any) => { const t = performance.now(); const r = await raw.query(text, params); const k = text.trim().slice(0, 40); const e = timings.get(k) ?? [0, 0]; e[0]++; e[1] += performance.now() - t; timings.set(k, e); return r; } } as typeof raw;
const { activateFirstPolicies } = await import('../src/policies/index.ts'); await activateFirstPolicies(raw, d.catalogue as any);
const keys = createKeyStore(d.store.urls.keys, localKeyEncryption(d.store.keyEncryptionKeys));
const secret = await keys.secret('blind-index');
const ids = uuidV7s(systemClock);
const reader = createSubjectReader(db, 5000);
const policySets = createPolicySets(db, createDeploymentReader(db, 5000));
const permits = createPermitRecorder(db, 5000);
const denials = createDenialRecorder(db, console as any);
const deps = { reader, policySets, permits, denials, blindIndexSecret: secret.key, clock: systemClock, ids };
const q = (n: number) => ({ subject: { type: 'system', id: 'community-desk' }, action: { name: 'link' }, resource: { type: 'social_identity', id: accountOf(n) }, context: { purpose: 'profile-linking', customer: crmOf(n) } });
for (let w = 0; w < 3; w++) await evaluate(deps as any, { system: 'community-desk', language: 'en' }, Array.from({ length: 1000 }, (_, i) => q(i)));
await denials.drained();
timings.clear();
const cpu = process.cpuUsage();
const t = performance.now();
let permit = 0;
for (let b = 0; b < 15; b++) { const r = await evaluate(deps as any, { system: 'community-desk', language: 'en' }, Array.from({ length: 1000 }, (_, i) => q(b * 1000 + i + 3000))); permit += r.filter(x => x.decision).length; }
await denials.drained();
const ms = performance.now() - t; const c = process.cpuUsage(cpu);
console.log('15000 decisions', ms.toFixed(0), 'ms', (15000 / ms * 1000).toFixed(0), '/s', 'node cpu us/decision', ((c.user + c.system) / 15000).toFixed(1), 'permits', permit);
for (const [k, [n, s]] of timings) console.log(n, (s / n).toFixed(1), 'ms avg', k);

timings.clear();
{
const cpu = process.cpuUsage(); const t = performance.now(); let next = 3000; let done = 0;
await Promise.all(Array.from({ length: 64 }, async () => { while (next < 18000) { await evaluate(deps as any, { system: 'community-desk', language: 'en' }, [q(next++)]); done++; } }));
await denials.drained();
const ms = performance.now() - t; const c = process.cpuUsage(cpu);
console.log('single', done, (done / ms * 1000).toFixed(0), '/s', 'node cpu us/decision', ((c.user + c.system) / done).toFixed(1));
for (const [k, [n, s]] of timings) console.log(n, (s / n).toFixed(1), 'ms avg', (done / n).toFixed(1), 'per statement', k);
}
const su = connect(d.store.urls.owner, { connections: 1 });
const rows = await su.query<any>(`explain (analyze, buffers) select k.ord::int as ord, i.subject_id as "subjectId", s.version, s.answers -> k.purpose as answers, s.answers -> '*' as everything, d.policy_digest from unnest($1::text[], $2::text[]) with ordinality as k (blind_index, purpose, ord) cross join deployment d left join identifier i on i.blind_index = decode(k.blind_index, 'hex') left join subject_state s on s.subject_id = i.subject_id`, ['{' + Array.from({length:2000},(_, i)=>i.toString(16).padStart(64,'0')).join(',') + '}', '{' + Array(2000).fill('profile-linking').join(',') + '}']);
for (const r of rows) console.log(r['QUERY PLAN']);
console.log(await su.query(`select pg_column_size(decisions) p, length(decisions::text) l from permit limit 2`), await su.query(`select pg_column_size(facts) p, length(facts::text) l from denial limit 2`));
await su.end(); await raw.end(); await keys.database.end();
} finally { await server.end?.(); await server.stop?.(); }
process.exit(0);
