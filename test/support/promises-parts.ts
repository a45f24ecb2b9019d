import { projectFolder } from '../../src/config.ts';
import {
  consentRoutes,
  recordConsent,
  withdrawConsent,
  type ConsentDeps,
  type RecordedEvent,
  inheritNoes,
} from '../../src/consent/index.ts';
import { createReplayOrRun, type IdempotencyRecord } from '../../src/http/index.ts';
import { createDenialRecorder, createPermitRecorder, evaluate, type DecisionDeps } from '../../src/decisions/index.ts';
import { systemClock, type Clock } from '../../src/kernel/clock.ts';
import { localKeyEncryption } from '../../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../../src/kernel/crypto/key-store.ts';
import { connect, type Database } from '../../src/kernel/database/client.ts';
import { takeTokens } from '../../src/kernel/database/take-tokens.ts';
import { uuidV7s } from '../../src/kernel/ids.ts';
import { createLog } from '../../src/kernel/log.ts';
import {
  confirmLink,
  readLinks,
  sweepLinks,
  unlink,
  unlinkWhatFell,
  type LinkageDeps,
  findReviews,
} from '../../src/linkage/index.ts';
import {
  activateFirstPolicies,
  activatePolicies,
  createDeploymentReader,
  createPolicySets,
  loadCatalogue,
  type Catalogue,
} from '../../src/policies/index.ts';
import {
  createSubjectReader,
  createSubjectWriter,
  openChallenge,
  refer,
  registerSubject,
  reportCodeSeen,
  type SubjectReader,
} from '../../src/subjects/index.ts';
import { stopWhatEnded } from '../../src/systems/index.ts';
import { join } from 'node:path';
import { testKeyEncryptionKeys } from './app.ts';
import type { TestDatabase } from './database.ts';

const deadlineMs = 10_000;

export const defaultPolicies = (): Promise<Catalogue> => loadCatalogue(join(projectFolder, 'policies'));

/** What a test plants in an instance: between it and the database, or between its rooms and the reader. */
export type Faults = { database?(database: Database): Database; reader?(reader: SubjectReader): SubjectReader };

/** A yes or a no as these tests write it. */
export type Said = {
  subject: string;
  purpose?: string;
  scope?: Record<string, string>;
  method?: 'app' | 'import';
  occurredAt?: string;
};

type Question = { action: string; resource: string; context: Record<string, unknown> };

/**
 * One instance of the service from its real parts, with a pool of its own and without the HTTP edge. `name` is the
 * `application_name` of its connections, by which a test finds out which of its statements wait.
 */
export const startParts = async (
  on: TestDatabase,
  { name, clock = systemClock, faults = {} }: { name: string; clock?: Clock; faults?: Faults },
) => {
  // Without time-outs: how long a statement waits is what these tests decide.
  const real = connect(on.urls.app, { connections: 6, name, statementTimeoutMs: 0 });
  const database = faults.database?.(real) ?? real;
  const keys = createKeyStore(on.urls.keys, localKeyEncryption(testKeyEncryptionKeys));
  await activateFirstPolicies(database, await defaultPolicies());
  const ids = uuidV7s(clock);
  const [blindIndex, codes] = await Promise.all([keys.secret('blind-index'), keys.secret('codes')]);
  const unwrapped = createSubjectReader(database, deadlineMs);
  const reader = faults.reader?.(unwrapped) ?? unwrapped;
  const writer = createSubjectWriter({ database, reader, ids, deadlineMs });
  const permits = createPermitRecorder(database, deadlineMs);
  const denials = createDenialRecorder(
    database,
    createLog({ level: 'silent', stream: process.stdout, personal: new Set() }),
  );
  const policySets = createPolicySets(database, createDeploymentReader(database, deadlineMs));
  const state = { reader, writer, ids, clock };
  const deps: LinkageDeps & ConsentDeps & DecisionDeps = {
    database,
    keys,
    secrets: { blindIndex, codes },
    reader,
    writer,
    clock,
    ids,
    policySets,
    permits,
    denials,
    blindIndexSecret: blindIndex.key,
    consequences: [unlinkWhatFell(ids), stopWhatEnded(ids)],
    onMerged: [unlinkWhatFell(ids)],
    inheritNoes: inheritNoes(state),
    findReviews: findReviews(database),
    mailReady: true,
    takeTokens: takeTokens(database),
  };
  const caller = (system: string) => ({ system, clientId: `test-${system}` });
  const reference = async (text: string) => refer(deps, await policySets.current(), 'crm', text, 'identifier');
  const said = ({ subject, purpose = 'profile-linking', scope = {}, method = 'app', occurredAt }: Said) => ({
    subject,
    purpose,
    scope,
    method,
    ...(occurredAt === undefined ? {} : { occurredAt }),
  });

  // The real route of recording: it alone answers a repeated Idempotency-Key.
  const consents = consentRoutes(
    {
      authenticate: (c) => {
        const all = { ...caller('crm'), scopes: ['consents:write' as const], issuedAt: 0, expiresAt: 0 };
        c.set('caller', all);
        return Promise.resolve(all);
      },
      limit: () => undefined,
    },
    {
      ...deps,
      catalogue: () => policySets.current(),
      replayOrRun: createReplayOrRun({
        find: async (hash) => {
          const [row] = await database.query<IdempotencyRecord>(
            `select fingerprint, subject_id as "subjectId", resource_id as "resourceId" from idempotency where hash = decode($1, 'hex')`,
            [hash.toString('hex')],
          );
          return row;
        },
      }),
      receipt: () => Promise.resolve('none'),
      wake: () => {},
    },
  );

  const askAll = (system: string, questions: readonly Question[]) =>
    evaluate(
      deps,
      { system, language: 'en' },
      questions.map(({ action, resource, context }) => ({
        subject: { type: 'system', id: system },
        action: { name: action },
        resource: { type: 'social_identity', id: resource },
        context,
      })),
    );

  return {
    name,
    deps,
    caller,
    reference,
    /** `POST /v1/consents` with an Idempotency-Key. */
    post: async (key: string, body: object): Promise<{ status: number; event: RecordedEvent }> => {
      const answer = await consents.request('/v1/consents', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
      });
      if (answer.status !== 201) throw new Error(`recording was answered with ${answer.status}`);
      return { status: answer.status, event: ((await answer.json()) as { event: RecordedEvent }).event };
    },
    /** Finds or creates the one subject of these identifiers. */
    register: async (...identifiers: string[]) =>
      (await registerSubject(deps, caller('crm'), { references: await Promise.all(identifiers.map(reference)) }))
        .subjectId,
    /** The whole proof of control: challenge, and the code seen on the account. */
    prove: async (customer: string, account: string) => {
      const [of, on] = await Promise.all([reference(customer), reference(account)]);
      const { code } = await openChallenge(deps, caller('crm'), { customer: of, account: on });
      return reportCodeSeen(deps, caller('community-desk'), { account: on, code, observedAt: clock.now().toString() });
    },
    give: async (yes: Said & { noticeVersion?: number }) =>
      recordConsent(deps, caller('crm'), await policySets.current(), {
        ...said(yes),
        action: 'give',
        notice: { version: yes.noticeVersion ?? 1, language: 'en' },
      }),
    withdraw: async (no: Said) => withdrawConsent(deps, caller('crm'), await policySets.current(), said(no)),
    ask: async (system: string, question: Question) => (await askAll(system, [question]))[0]!,
    askAll,
    confirm: async (system: string, input: { leaseId: string; customer: string; identity: string }) =>
      confirmLink(deps, caller(system), await policySets.current(), input),
    unlink: (system: string, subjectId: string, linkId: string) => unlink(deps, caller(system), { subjectId, linkId }),
    links: (subjectId: string, system?: string) => readLinks(deps.reader, subjectId, system),
    sweep: async () => sweepLinks(deps, await policySets.current()),
    activate: (catalogue: Catalogue) => activatePolicies(database, catalogue),
    close: async () => {
      await Promise.all([writer.drained(), permits.drained(), denials.drained()]);
      await Promise.all([database.end(), keys.database.end()]);
    },
  };
};

export type Parts = Awaited<ReturnType<typeof startParts>>;
