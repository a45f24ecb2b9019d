/** The pages in a real browser, as a person meets them: on a phone, by keyboard, without scripts. */
import axe from 'axe-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import decodeQR from 'qr/decode.js';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, type TestContext } from 'vitest';
import { languages } from '../src/policies/index.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { startBrowser } from './support/browser.ts';
import { startSmtp, type Smtp } from './support/smtp.ts';

let app: TestApp;
let smtp: Smtp;
let browser: Browser | string;

beforeAll(async () => {
  browser = await startBrowser();
  smtp = await startSmtp();
  app = await startTestApp({ mail: { url: smtp.url } });
  const fair = { purpose: 'newsletter', scope: { channel: 'email', form: 'newsletter' } };
  for (const [id, body] of [
    ['fair', fair],
    ['over', fair],
    ['over', { ...fair, closesAt: '2026-01-01T00:00:00Z' }],
  ] as const)
    expect((await app.call('PUT', `/v1/campaigns/${id}`, { as: 'newsletter', body })).status).toBe(200);
});
afterAll(async () => {
  if (typeof browser === 'object') await browser.close();
  await app?.close();
  await smtp?.close();
});

const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };

/** A browser window of its own; the test is skipped, and says why, where no browser runs. */
const open = async (t: TestContext, options: BrowserContextOptions): Promise<{ page: Page; asked: string[] }> => {
  if (typeof browser === 'string') return t.skip(browser);
  const context: BrowserContext = await browser.newContext({ baseURL: app.url, ...phone, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  return { page, asked };
};

const codeIn = async (email: string) => /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec((await smtp.nextMail(email)).text)![0];

/** Goes on with the Tab key until this has the focus, as somebody without a mouse does. */
const tabTo = async (page: Page, selector: string): Promise<void> => {
  for (let step = 0; step < 40; step++) {
    await page.keyboard.press('Tab');
    if ((await page.locator(`${selector}:focus`).count()) > 0) return;
  }
  throw new Error(`the Tab key never comes to ${selector}`);
};

// What runs inside of the page is given as text: the types of a browser are not those of this program.
const widerThanScreen = (page: Page) =>
  page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');

const customer = async (subject: string) => {
  await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: subject }] } });
  const mails = [{ subject, purpose: 'newsletter', scope: { channel: 'email' } }];
  const [unsubscribe, no] = [
    await app.call('POST', '/v1/unsubscribe-headers', { body: { mails } }),
    await app.call('POST', '/v1/no-links', { body: { subject } }),
  ];
  return { link: unsubscribe.body.mails[0].link as string, url: no.body.url as string };
};

describe.each(languages)('On a phone without scripts, by keyboard alone, in %s', (language) => {
  test('a person reads, chooses, agrees, types the code, keeps the receipt, and takes it back', async (t) => {
    const { page, asked } = await open(t, { locale: `${language}-CH`, javaScriptEnabled: false });
    const email = `phone-${language}@example.org`;
    await page.goto('/ask/fair');
    expect(await page.locator('html').getAttribute('lang')).toBe(language);
    expect(await widerThanScreen(page)).toBe(false);
    const notice = app.catalogue.purposes.get('newsletter')!.notices.at(-1)!.text[language];
    expect(await page.locator('.notice').textContent()).toBe(notice);

    const [yes, no] = [await page.locator('[value=yes]').boundingBox(), await page.locator('[value=no]').boundingBox()];
    expect([yes!.width, yes!.height]).toEqual([no!.width, no!.height]);
    expect(yes!.height).toBeGreaterThanOrEqual(44);

    await tabTo(page, '[value=culture]');
    await page.keyboard.press('Space');
    await tabTo(page, '#email');
    await page.keyboard.type(email);
    await page.keyboard.press('Enter');
    // Enter in the field answers nothing: a person answers with a button.
    expect(await page.locator('#email').inputValue()).toBe(email);
    await tabTo(page, '[value=yes]');
    await page.keyboard.press('Enter');

    await page.locator('#code').waitFor();
    await tabTo(page, '#code');
    await page.keyboard.type(await codeIn(email));
    await page.keyboard.press('Enter');

    const receipt = page.locator('a[download]');
    await receipt.waitFor();
    expect(await widerThanScreen(page)).toBe(false);
    const [download] = await Promise.all([page.waitForEvent('download'), receipt.click()]);
    expect(download.suggestedFilename()).toBe('receipt.jws');

    await page.goto((await page.locator('a.address').getAttribute('href'))!);
    await tabTo(page, 'form:first-of-type button');
    await page.keyboard.press('Enter');
    await page.getByRole('status').waitFor();
    const { body } = await app.call('POST', '/v1/subjects/lookup', { body: { identifier: `email:${email}` } });
    const { events } = (await app.call('GET', `/v1/subjects/${body.subjectId}/consents/history`)).body;
    expect(events).toMatchObject([
      { answer: 'pending', scope: { topic: 'culture' } },
      { answer: 'yes', scope: { topic: 'culture' }, notice: { language } },
      { answer: 'no', purpose: '*' },
    ]);
    expect(asked.filter((url) => new URL(url).origin !== app.url && !url.startsWith('data:'))).toEqual([]);
    expect(asked.some((url) => url.endsWith('.css'))).toBe(true);
  });
});

describe('Nothing keeps anybody out (axe, WCAG 2.2 AA)', () => {
  const audit = async (page: Page): Promise<string[]> => {
    await page.addScriptTag({ content: axe.source });
    const { violations, passes } = await page.evaluate<{ violations: any[]; passes: unknown[] }>(`axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      resultTypes: ['violations', 'passes'],
    })`);
    expect(passes.length).toBeGreaterThan(10);
    return violations.map(({ id, impact, nodes }) => `${impact} ${id} ${nodes[0].html}`);
  };

  for (const colorScheme of ['light', 'dark'] as const)
    test(`every page, ${colorScheme}`, async (t) => {
      const { page } = await open(t, { colorScheme, bypassCSP: true });
      const { link, url } = await customer(`crm:axe-${colorScheme}`);
      const found: Record<string, string[]> = {};
      const look = async (name: string) => (found[name] = await audit(page));
      // What an audit finds does not depend on the language where only the colours differ.
      for (const language of colorScheme === 'light' ? languages : (['de'] as const)) {
        await page.goto(`/ask/fair?lang=${language}`);
        await look(`ask ${language}`);
      }
      for (const [name, address] of Object.entries({ link, url })) {
        await page.goto(`${address}?lang=fr`);
        await look(name);
      }
      for (const path of ['/ask/fair/print', '/ask/over', '/ask/none']) {
        await page.goto(path);
        await look(path);
      }
      const email = `axe-${colorScheme}@example.org`;
      await page.goto('/ask/fair?lang=en');
      await page.locator('[value=yes]').click();
      await look('with a mistake');
      await page.locator('#email').fill(email);
      await page.locator('[value=events]').check();
      await page.locator('[value=yes]').click();
      await look('code');
      await page.locator('#code').fill('0000-0000');
      await page.locator('form.code button').click();
      await look('wrong code');
      await page.locator('#code').fill(await codeIn(email));
      await page.locator('form.code button').click();
      await look('thanks');
      await page.goto(link);
      await page.locator('button').first().click();
      await look('done');
      expect(Object.entries(found).filter(([, violations]) => violations.length > 0)).toEqual([]);
      expect(Object.keys(found).length).toBe(colorScheme === 'light' ? 14 : 11);
    });
});

test('at 320 points, and at 200 % of the size of letters, nothing runs out of the page (WCAG 1.4.10, 1.4.4)', async (t) => {
  const { page } = await open(t, { viewport: { width: 320, height: 640 }, locale: 'de-CH', bypassCSP: true });
  const { link, url } = await customer('crm:narrow');
  for (const address of [link, url, '/ask/fair', '/ask/fair/print']) {
    await page.goto(address);
    expect([address, await widerThanScreen(page)]).toEqual([address, false]);
    await page.addStyleTag({ content: ':root { font-size: 200% !important; }' });
    expect([address, await widerThanScreen(page)]).toEqual([address, false]);
  }
});

test('a camera that sees the printed page is led to the question', async (t) => {
  const { page } = await open(t, { bypassCSP: true });
  await page.goto('/ask/fair/print?lang=it');
  await page.emulateMedia({ media: 'print' });
  const side = 185;
  const seen = await page.evaluate<number[]>(`(() => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = ${side};
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, ${side}, ${side});
    context.drawImage(document.querySelector('img.qr'), 0, 0, ${side}, ${side});
    return [...context.getImageData(0, 0, ${side}, ${side}).data];
  })()`);
  const address = decodeQR({ width: side, height: side, data: Uint8ClampedArray.from(seen) });
  await page.goto(address);
  expect(await page.locator('h1').textContent()).toBe(app.catalogue.purposes.get('newsletter')!.title.en);
});
