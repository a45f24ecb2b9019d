import encodeQR from 'qr';
import { narrator } from '../narrator.ts';
import { codeIn, expect, type Json, type Question, type Scene, type Verdict } from '../scene.ts';

/** The page that stays up with the demo. */
export const posterPath = '/ask/spring-fair';

export const eva = 'email:eva@example.org';
export const mailAbout = (topic: string) => ({ channel: 'email', topic, form: 'newsletter' });

/** May the newsletter write to Eva about this? */
const letterQuestion = (topic: string): Question => ({
  action: 'contact',
  resource: { type: 'customer', id: eva },
  context: { purpose: 'newsletter', marketing: true, ...mailAbout(topic) },
});

export const mayWrite = ({ check, newsletter }: Scene, topic: string, expected: Verdict): Promise<Json> =>
  check(newsletter, letterQuestion(topic), expected);

/** Double opt-in: a yes from a page counts once the code from the mail was typed. */
export const signingUp = async (scene: Scene): Promise<void> => {
  const { step, call, open, fillIn, newsletter, mailbox } = scene;
  narrator.chapter('Eva signs up on a poster', 'Consent on a page of Askfirst, in her language and without scripts.');

  step('The newsletter puts up a poster', 'One call gives it a page that asks, a QR code, and a sheet to print.');
  await scene.signIn(newsletter);
  const campaign = await call(newsletter, 'PUT', '/v1/campaigns/spring-fair', {
    json: { purpose: 'newsletter', scope: { channel: 'email', form: 'newsletter' } },
    answers: ({ url, print }) => ({ url, print }),
    status: 200,
  });
  expect('the page', new URL(campaign.url).pathname, posterPath);
  narrator.gap();
  narrator.verbatim(...encodeQR(campaign.url, 'ascii', { ecc: 'low' }).trimEnd().split('\n'));

  step('Eva scans it and says yes', 'She types her address, ticks what she is interested in, and presses Yes.');
  const page = await open('Eva’s browser', campaign.url, { 'accept-language': 'de-CH' });
  const asked = await fillIn(
    'Eva’s browser',
    page.forms[0]!,
    { email: 'eva@example.org', topic: ['events', 'culture'] },
    'yes',
  );

  step('That is not a yes yet', 'Anybody could have typed her address. Askfirst has sent it a code, and no link.');
  const mail = await mailbox.nextMail('eva@example.org');
  narrator.mail(mail);
  expect('whether the mail has a link', /https?:/.test(mail.text), false);
  await mayWrite(scene, 'events', { permit: false, rule: 'confirmation-pending' });

  step('Eva types the code', 'Now it is proved that the mailbox is hers, and she may keep her receipts.');
  const thanks = await fillIn('Eva’s browser', asked.forms[0]!, { code: codeIn(mail.text) });
  const receipts = thanks.links.filter((link) => link.startsWith('/receipt/'));
  expect('receipts on the page', receipts.length, 2);
  await mayWrite(scene, 'events', { permit: true, rule: 'agreement-given' });
};
