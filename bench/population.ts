import type { Scope } from '../src/consent/answers.ts';

/**
 * Who is in the database and what they said, as a function of a number from 0: so the loader, the load generator and the bare INSERT
 * agree without telling each other. Of four customers two may be linked, one said no, and one claims an account that nobody proved.
 */

export const crmOf = (n: number): string => `crm:${100_000_000 + n}`;
export const accountOf = (n: number): string => `facebook:${10_000_000_000 + n}`;
export const saidNo = (n: number): boolean => n % 4 === 1;
export const isProved = (n: number): boolean => n % 4 !== 3;
export const mayBeLinked = (n: number): boolean => n % 2 === 0;

/** The system that asks and records. */
export const system = 'community-desk';

/** What each customer answered, in this order; `yes` of the first is that of `saidNo`. */
export const asked: readonly { purpose: string; scope: Scope; yes(n: number): boolean }[] = [
  { purpose: 'newsletter', scope: { channel: 'email', topic: 'events' }, yes: (n) => n % 3 > 0 },
  { purpose: 'profile-linking', scope: { platform: 'facebook' }, yes: (n) => !saidNo(n) },
  { purpose: 'profile-enrichment', scope: {}, yes: (n) => n % 5 > 1 },
  { purpose: 'segmentation', scope: {}, yes: (n) => n % 7 > 3 },
  { purpose: 'third-party-sharing', scope: {}, yes: (n) => n % 11 > 8 },
];

/** Milliseconds since 1970, whole seconds, at which customer `n` of `total` came: spread over half a year that ended yesterday. */
export const cameAt = (n: number, total: number, nowMs: number): number =>
  1000 * (Math.floor(nowMs / 1000) - 86_400 - Math.floor(((total - n) / total) * 15_552_000));

const mix = (seed: number): number => {
  let value = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b);
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (value ^ (value >>> 16)) >>> 0;
};
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** What the UUIDs of customer `n` have in common: all but their moment and the last two digits. */
export const tailOf = (n: number): string => {
  const [a, b] = [mix(n + 1), mix(Math.imul(n, 0x9e3779b1) + 7)];
  return `7${hex(a >>> 20, 3)}-${hex(0x8000 | (a & 0x3fff), 4)}-${hex(b, 8)}${hex((a >>> 12) & 0xff, 2)}`;
};

/** The first half of a UUIDv7: its moment. */
export const momentOf = (ms: number): string => {
  const time = hex(ms, 12);
  return `${time.slice(0, 8)}-${time.slice(8)}-`;
};

/** The subject of customer `n`. */
export const subjectIdOf = (n: number, total: number, nowMs: number): string =>
  `${momentOf(cameAt(n, total, nowMs))}${tailOf(n)}00`;

/** All numbers below `total` once, in a random order that is the same each time (Fisher-Yates over a fixed generator). */
export const shuffled = (total: number): Uint32Array => {
  const order = Uint32Array.from({ length: total }, (_, n) => n);
  for (let last = total - 1; last > 0; last--) {
    const other = mix(last * 2654435761) % (last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
};

const question = (n: number) => ({
  resource: { type: 'social_identity', id: accountOf(n) },
  context: { purpose: 'profile-linking', customer: crmOf(n) },
});

/** `POST /access/v1/evaluation` about customer `n`. */
export const evaluationBody = (n: number): string =>
  JSON.stringify({ subject: { type: 'system', id: system }, action: { name: 'link' }, ...question(n) });

/** `POST /access/v1/evaluations` about these customers. */
export const evaluationsBody = (ns: readonly number[]): string =>
  JSON.stringify({
    subject: { type: 'system', id: system },
    action: { name: 'link' },
    evaluations: ns.map(question),
  });

/** `POST /v1/consents` of customer `n`: changes no decision that the bench asks for. */
export const consentBody = (n: number): string =>
  JSON.stringify({
    subject: crmOf(n),
    purpose: 'newsletter',
    scope: { channel: 'email', topic: 'culture' },
    decision: 'given',
    notice: { version: 1, language: 'de' },
    method: 'app',
  });
