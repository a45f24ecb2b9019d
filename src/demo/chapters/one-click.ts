import { createTransport } from 'nodemailer';
import { narrator } from '../narrator.ts';
import { elapsedSince, expect, type Scene } from '../scene.ts';
import { eva, mailAbout, mayWrite } from './signing-up.ts';

const permit = { permit: true, rule: 'agreement-given' };

/** RFC 8058: a mail provider unsubscribes its customer, who presses a button of the provider's own. */
export const oneClick = async (scene: Scene): Promise<void> => {
  const { step, call, newsletter, mailbox } = scene;
  const { note, good } = narrator;
  narrator.chapter('One click', 'Unsubscribing as the big mail providers do it (RFC 8058).');

  step('The newsletter sends a mail', 'Askfirst gives it two headers that are ready; it puts them into a real mail.');
  await mayWrite(scene, 'events', permit);
  const { mails } = await call(newsletter, 'POST', '/v1/unsubscribe-headers', {
    json: { mails: [{ subject: eva, purpose: 'newsletter', scope: mailAbout('events') }] },
    answers: (body) => Object.keys(body.mails[0].headers).join(', '),
    status: 200,
  });
  const transport = createTransport({ host: '127.0.0.1', port: mailbox.port, secure: false, ignoreTLS: true });
  await transport.sendMail({
    from: 'Example Tourism Association <news@example.org>',
    to: 'eva@example.org',
    subject: 'Spring fair on the alp',
    text: 'Come and see us on Saturday.',
    headers: mails[0].headers,
  });
  const mail = await mailbox.nextMail('eva@example.org');
  narrator.mail(mail);
  expect('what the mail promises', mail.headers['list-unsubscribe-post'], 'List-Unsubscribe=One-Click');
  const url = /^<(http:[^>]+)>$/.exec(mail.headers['list-unsubscribe'] ?? '')?.[1];
  if (url === undefined)
    throw new Error('the mail should have a List-Unsubscribe header, but has none that can be read');
  note(`List-Unsubscribe: <${url.slice(0, 48)}…>`);
  note('List-Unsubscribe-Post: List-Unsubscribe=One-Click');

  step(
    'A scanner opens the link',
    'It looks for viruses in every mail, and follows what it finds. That changes nothing.',
  );
  await scene.open('scanner', url);
  await mayWrite(scene, 'events', permit);

  step('Eva presses Unsubscribe in her mail program', 'Her provider posts what the mail promises: no cookie, no page.');
  narrator.call('mail provider', 'POST the address in the header', { 'List-Unsubscribe': 'One-Click' });
  const clickedAt = performance.now();
  const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
  const { status } = await fetch(url, { method: 'POST', body, redirect: 'error' });
  narrator.answer(status, undefined, elapsedSince(clickedAt));
  expect('the status', status, 200);
  await mayWrite(scene, 'events', { permit: false, rule: 'no-means-no' });
  good(`${elapsedSince(clickedAt)} ms from the click to the next check’s no.`);

  step('Exactly that mail', 'She did not unsubscribe from culture, which she ticked on the poster.');
  await mayWrite(scene, 'culture', permit);
};
