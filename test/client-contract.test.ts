import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createAskfirst,
  type Decision,
  type LinkRequest,
  type Obligation,
  type UseRequest,
} from '../src/client/index.ts';
import { startService, type Service } from '../src/client/test-service.ts';
import {
  accessEvaluationRequestSchema,
  accessEvaluationsRequestSchema,
  accessEvaluationsResponseSchema,
  decisionSchema,
} from '../src/decisions/schema.ts';
import { confirmationSchema, linkSchema } from '../src/linkage/schema.ts';
import { contextSchema } from '../src/policies/context.ts';
import { obligationMessage } from '../src/systems/obligation.ts';
import { informedSchema, pulledSchema } from '../src/systems/schema.ts';
import { webhookHeaders } from '../src/systems/sign-webhook.ts';

/** The client imports nothing of the service, so these hold both to one wire: the service's own schemas and signatures. */
describe('askfirst/client and the service agree on', () => {
  let service: Service;
  beforeEach(async () => {
    service = await startService();
  });
  afterEach(() => service.stop());

  const [permit, denial] = z.tuple([decisionSchema, decisionSchema]).parse(decisionSchema.meta()!.examples);
  const eva: LinkRequest = {
    customer: 'crm:4711',
    identity: 'facebook:1029384756',
    actor: { id: 'u17', role: 'agent' },
    match: { method: 'probabilistic', confidence: 0.7 },
    chain: ['email:eva@example.org', 'x:44196397'],
    nickname: undefined,
  };
  const uses: UseRequest[] = [
    {
      action: 'contact',
      purpose: 'newsletter',
      customer: 'crm:4711',
      scope: { channel: 'email', topic: 'events', form: 'weekly', recipient: undefined },
      marketing: true,
    },
    {
      action: 'reply',
      purpose: 'customer-service',
      identity: 'x:44196397',
      inReplyTo: { openedBySubject: true, days: 2 },
      fulfils: ['disclose-bot'],
    },
    { action: 'publish_aggregate', purpose: 'open-statistics', aggregate: 'nights', cellSize: 12 },
  ];

  it('the question of a link, its answer and its confirmation', async () => {
    service.answer('/access/v1/evaluation', ({ json }) => {
      const { context } = accessEvaluationRequestSchema.parse(json);
      contextSchema.parse(context);
      return { body: decisionSchema.parse(permit) };
    });
    service.answer('/v1/links', ({ json }) => {
      expect(confirmationSchema.parse(json).leaseId).toBe(permit.context!.lease!.id);
      const linkId = permit.context!.decisionId!;
      const names = { system: 'listening', purpose: 'profile-linking', platform: 'facebook' };
      const confirmedAt = '2026-07-15T09:30:01Z';
      const link = linkSchema.parse({ linkId, subjectId: linkId, status: 'active', confirmedAt, ...names });
      return { status: 201, body: link };
    });
    const client = createAskfirst(service.options);
    const decision = await client.mayLink(eva);
    expect(decision).toMatchObject({ permit: true, lease: permit.context!.lease! } satisfies Partial<Decision>);
    expect(await client.confirmLink(decision, eva)).toMatchObject({ status: 'active' });
  });

  it('questions of every other kind, one by one and in a batch', async () => {
    const { lease: _, ...used } = permit.context!;
    service.answer('/access/v1/evaluation', ({ json }) => {
      contextSchema.parse(accessEvaluationRequestSchema.parse(json).context);
      return { body: { decision: true, context: used } };
    });
    service.answer('/access/v1/evaluations', ({ json }) => {
      const { evaluations } = accessEvaluationsRequestSchema.parse(json);
      for (const { context } of evaluations!) contextSchema.parse(context);
      const decisions = [{ decision: true, context: used }, denial, { decision: true, context: used }];
      return { body: accessEvaluationsResponseSchema.parse({ evaluations: decisions }) };
    });
    const client = createAskfirst(service.options);
    for (const use of uses) expect(await client.mayUse(use)).toMatchObject({ permit: true, reasons: [{}] });
    expect((await client.mayUseAll(uses)).map((decision) => decision.permit)).toEqual([true, false, true]);
  });

  it('obligations, signed or pulled', async () => {
    const common = { id: 'o1', subjectId: 's1', system: 'listening', createdAt: '2026-06-01T09:30:00.120Z' };
    const messages = [
      obligationMessage(
        {
          ...common,
          dueAt: '2026-06-02T09:30:00.120Z',
          kind: 'unlink',
          facts: { linkId: 'l1', purpose: 'profile-linking', cause: 'withdrawal', customerRef: 'a', identityRef: 'b' },
        },
        { customer: 'crm:4711', identity: 'facebook:1029384756' },
      ),
      obligationMessage({
        ...common,
        dueAt: '2026-06-02T09:30:00.120Z',
        kind: 'stop',
        facts: { purpose: 'newsletter', scope: { channel: 'email' }, cause: 'objection' },
      }),
      obligationMessage(
        {
          ...common,
          dueAt: '2026-06-02T09:30:00.120Z',
          kind: 'inform',
          facts: { purpose: 'newsletter', cause: 'collected', collectedAt: '2026-05-02T09:30:00Z', source: 'x' },
        },
        { customer: 'x:44196397' },
      ),
    ];
    const due = { obligationId: 'o1', dueAt: '2026-06-02T09:30:00.120Z' };
    const expected: Obligation[] = [
      {
        ...due,
        kind: 'unlink',
        linkId: 'l1',
        purpose: 'profile-linking',
        customer: 'crm:4711',
        identity: 'facebook:1029384756',
      },
      { ...due, kind: 'stop', purpose: 'newsletter', scope: { channel: 'email' } },
      {
        ...due,
        kind: 'inform',
        purpose: 'newsletter',
        collectedAt: '2026-05-02T09:30:00Z',
        source: 'x',
        customer: 'x:44196397',
      },
    ];
    const secrets = ['n', 'o'].map((letter) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`);
    const client = createAskfirst({ ...service.options, webhookSecrets: [secrets[1]!] });

    const received: Obligation[] = [];
    const informed = { notice: { version: 1, language: 'de' }, method: 'app' } as const;
    const receive = client.onObligation(async (obligation) => {
      received.push(obligation);
      return obligation.kind === 'inform' ? informed : undefined;
    });
    for (const message of messages) {
      const body = JSON.stringify(message);
      const receipt = await receive(body, webhookHeaders('o1', Date.now(), body, secrets));
      const { acknowledged, ...shown } = receipt.body;
      expect(acknowledged).toBe(true);
      if (message.type === 'obligation.inform') expect(informedSchema.parse(shown)).toEqual(informed);
    }
    expect(received).toEqual(expected);

    const [example] = pulledSchema.meta()!.examples as [unknown];
    service.answer('/v1/obligations', () => ({ body: pulledSchema.parse(example) }));
    expect(await client.pullObligations()).toMatchObject([{ kind: 'unlink', customer: 'crm:4711' }]);
  });
});
