import { narrator } from '../narrator.ts';
import type { Scene, Verdict } from '../scene.ts';
import { mayWrite } from './signing-up.ts';

const customer = 'crm:4711';

/** How somebody wants to be spoken to, and two records that turn out to be one person. */
export const wishes = async (scene: Scene): Promise<void> => {
  const { step, call, crm, desk } = scene;
  narrator.chapter(
    'In her own way',
    'How Eva wants to be spoken to, and what becomes of her noes when records are merged.',
  );
  const mayReply = (action: string, context: object, expected: Verdict) =>
    scene.check(
      desk,
      {
        action,
        resource: { type: 'customer', id: customer },
        context: {
          purpose: 'customer-service',
          marketing: false,
          inReplyTo: { openedBySubject: true, days: 1 },
          channel: 'messenger',
          visibility: 'private',
          ...context,
        },
      },
      expected,
    );

  step(
    'By a person, and not in public',
    'Eva has a question. She does not want a bot, nor an answer that all can read.',
  );
  for (const purpose of ['customer-service', 'automated-reply'])
    await call(crm, 'POST', '/v1/consents', {
      json: {
        subject: customer,
        purpose,
        decision: 'informed',
        notice: { version: 1, language: 'de' },
        method: 'app',
      },
      answers: ({ event }) => ({ answer: event.answer }),
      status: 201,
    });
  const byBot = { purpose: 'automated-reply', botDisclosed: true };
  await mayReply('reply_automatically', byBot, { permit: true, rule: 'informed-and-lawful' });
  for (const form of ['bot', 'public'])
    await call(crm, 'POST', '/v1/consents/object', {
      json: { subject: customer, purpose: 'dialogue', scope: { form }, method: 'app' },
      answers: ({ event }) => ({ action: event.action }),
      status: 201,
    });
  await mayReply('reply_automatically', byBot, { permit: false, rule: 'dialogue-as-wished' });
  await mayReply('reply', { visibility: 'public' }, { permit: false, rule: 'dialogue-as-wished' });
  await mayReply('reply', {}, { permit: true, rule: 'answer-where-they-asked' });

  step('Two records, one Eva', 'In an older record she refused the newsletter on paper. Merging never loses a no.');
  const { subjectId } = await call(crm, 'POST', '/v1/subjects/lookup', {
    json: { identifier: customer },
    answers: (body) => ({ subjectId: body.subjectId }),
    status: 200,
  });
  await call(crm, 'POST', '/v1/consents', {
    json: {
      subject: 'crm:1180',
      purpose: 'newsletter',
      decision: 'refused',
      notice: { version: 1, language: 'de' },
      method: 'paper',
      evidence: 'card in folder 7',
      actor: 'u17',
    },
    answers: ({ event }) => ({ action: event.action }),
    status: 201,
  });
  await mayWrite(scene, 'culture', { permit: true, rule: 'agreement-given' });
  await call(crm, 'POST', `/v1/subjects/${subjectId}/merge`, {
    json: { subject: 'crm:1180' },
    answers: (body) => ({ subjectId: body.subjectId }),
    status: 200,
  });
  await mayWrite(scene, 'culture', { permit: false, rule: 'no-means-no' });
};
