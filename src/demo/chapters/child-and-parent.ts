import { systemClock } from '../../kernel/clock.ts';
import { narrator } from '../narrator.ts';
import { codeIn, expect, type Json, type Scene, type Verdict } from '../scene.ts';

const mia = 'crm:4712';
const parent = 'parent@example.org';
const purpose = 'profile-enrichment';

/** Art. 8 GDPR: below the age of digital consent a parent or guardian says yes, and the child's own no stands above it. */
export const childAndParent = async (scene: Scene): Promise<void> => {
  const { step, call, crm, mailbox } = scene;
  narrator.chapter('A child and a parent', 'Below the age that the policies set, a child’s own yes does not count.');
  const sayYes = async (more: object): Promise<Json> => {
    const { event } = await call(crm, 'POST', '/v1/consents', {
      json: {
        subject: mia,
        purpose,
        decision: 'given',
        notice: { version: 1, language: 'en' },
        method: 'app',
        ...more,
      },
      answers: (body) => ({ by: body.event.by, answer: body.event.answer }),
      status: 201,
    });
    return event;
  };
  /** The parent is asked by mail, and types the code from it; `mailToldBefore` spares its words. */
  const parentSaysYes = async (mailToldBefore = false): Promise<Json> => {
    const asked = await sayYes({ guardian: { confirmAt: `email:${parent}` } });
    expect('the answer', asked.answer, 'pending');
    const mail = await mailbox.nextMail(parent);
    narrator.mail(mailToldBefore ? { ...mail, text: '' } : mail);
    const path = `/v1/subjects/${asked.subjectId}/consents/${asked.id}/confirm`;
    const { event } = await call(crm, 'POST', path, {
      json: { code: codeIn(mail.text) },
      answers: (body) => ({ by: body.event.by, answer: body.event.answer, until: body.event.expiresAt }),
      status: 201,
    });
    expect('whose yes it is', event.by, 'guardian');
    return event;
  };
  const mayKeep = (expected: Verdict) =>
    scene.check(
      crm,
      { action: 'retain', resource: { type: 'customer', id: mia }, context: { purpose, platform: 'facebook' } },
      expected,
    );

  // Younger than sixteen by a year and some months, whenever this is played.
  const born = systemClock
    .now()
    .toZonedDateTimeISO('UTC')
    .toPlainDate()
    .toPlainYearMonth()
    .subtract({ years: 14, months: 9 });
  const ofAge = born.add({ years: 16 });

  step('Mia is fourteen', 'The customer system knows the month of her birth. She says yes herself.');
  const { subjectId } = await call(crm, 'POST', '/v1/subjects', {
    json: { identifiers: [{ identifier: mia }] },
    answers: (body) => ({ subjectId: body.subjectId }),
    status: 201,
  });
  await call(crm, 'PUT', `/v1/subjects/${subjectId}/birth-month`, { json: { month: born.toString() }, status: 204 });
  await sayYes({});
  await mayKeep({ permit: false, rule: 'guardian-missing' });

  step('Her father says yes', 'He is asked by mail, in words for a parent, and confirms with the code.');
  const { expiresAt } = await parentSaysYes();
  expect('until when it counts', expiresAt, `${ofAge.toString()}-01T00:00:00Z`);
  await mayKeep({ permit: true, rule: 'agreement-given' });
  narrator.note(`It counts until ${ofAge.toString()}, when Mia turns sixteen and is asked herself.`);

  step('Mia says no', 'Nobody needs to be of age for that.');
  await call(crm, 'POST', '/v1/consents/withdraw', {
    json: { subject: mia, purpose, method: 'app' },
    answers: ({ event }) => ({ by: event.by, action: event.action }),
    status: 201,
  });
  await mayKeep({ permit: false, rule: 'no-means-no' });

  step('Her father cannot overrule her', 'His new yes is recorded and confirmed. Her own word stands above it.');
  await parentSaysYes(true);
  await mayKeep({ permit: false, rule: 'no-means-no' });
};
