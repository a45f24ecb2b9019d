import { narrator } from '../narrator.ts';
import { expect, send, type Scene, type Verdict } from '../scene.ts';

const recipient = 'example-hotels';
const sharing = { subject: 'crm:4711', purpose: 'third-party-sharing', scope: { recipient } };
const signal = { 'sec-gpc': '1' };

/** Global Privacy Control: a browser that says "do not sell or share" on behalf of whoever uses it. */
export const browserSaysNo = async (scene: Scene): Promise<void> => {
  const { step, call, open, crm, url } = scene;
  narrator.chapter(
    'A browser that says no',
    'Global Privacy Control: Eva set it once, and her browser says it everywhere.',
  );
  const sayYes = () =>
    call(crm, 'POST', '/v1/consents', {
      json: { ...sharing, decision: 'given', notice: { version: 1, language: 'de' }, method: 'app' },
      answers: ({ event }) => ({ action: event.action, until: event.expiresAt }),
      status: 201,
    });
  const mayShare = (expected: Verdict) =>
    scene.check(
      crm,
      {
        action: 'share',
        resource: { type: 'customer', id: sharing.subject },
        context: { purpose: sharing.purpose, recipient },
      },
      expected,
    );

  step('Eva shared her address with a hotel', 'She said yes in the app, for this one recipient.');
  await sayYes();
  await mayShare({ permit: true, rule: 'agreement-given' });

  step('Her new browser sends Sec-GPC: 1', 'She opens her own page, from a letter, and presses nothing there.');
  const { body: support } = await send(`${url}/.well-known/gpc.json`);
  narrator.call('Eva’s browser', 'GET /.well-known/gpc.json', undefined);
  narrator.answer(200, support);
  expect('whether the signal is honoured', support.gpc, true);
  const link = await call(crm, 'POST', '/v1/no-links', {
    json: { subject: sharing.subject },
    answers: (body) => ({ url: `${body.url.slice(0, 48)}…` }),
    status: 200,
  });
  await open('Eva’s browser', link.url, signal);
  await mayShare({ permit: false, rule: 'no-means-no' });

  step('A yes that was meant stays', 'She wants that hotel’s offers after all, and says so. The signal is still on.');
  await sayYes();
  await open('Eva’s browser', link.url, signal);
  await mayShare({ permit: true, rule: 'agreement-given' });
};
