import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { docsRoutes } from './docs.ts';
import { buildDocument } from './openapi.ts';
import { appOf, membersOf, routes } from './test-support.ts';

const api = routes({ '/v1/x': () => new Response() });
const { app } = appOf([api, docsRoutes(() => buildDocument(app, '1.2.3'))]);

const scripts = async () => {
  const html = await (await app.request('/docs')).text();
  return { html, sources: [...html.matchAll(/src="([^"]+)"/g)].map(([, source]) => source!) };
};

test('the page loads scripts of its own origin only, and the browser is told to hold it to that', async () => {
  const { html, sources } = await scripts();
  expect(sources).toEqual([expect.stringMatching(/^\/docs\/scalar\.[\w-]{16}\.js$/), '/docs/start.js']);
  expect(html).not.toContain('//');
  const policy = (await app.request('/docs')).headers.get('content-security-policy')!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toMatch(/http|unsafe-eval|\*/);
});

test('the looser policy is that of the page alone', async () => {
  expect((await app.request('/openapi.json')).headers.get('content-security-policy')).toBe("frame-ancestors 'none'");
});

test('fonts, telemetry and agents of others are switched off', async () => {
  const start = await (await app.request('/docs/start.js')).text();
  const [, json] = /^Scalar\.createApiReference\('#reference', (\{.*\})\);\n$/.exec(start)!;
  expect(JSON.parse(json!)).toMatchObject({
    url: '/openapi.json',
    withDefaultFonts: false,
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
  });
});

test('the bundle is named by its content, may be kept for a year and comes compressed', async () => {
  const { sources } = await scripts();
  const plain = await app.request(sources[0]!);
  expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  const text = await plain.text();
  expect(text.length).toBeGreaterThan(1_000_000);
  const small = await app.request(sources[0]!, { headers: { 'accept-encoding': 'gzip, br' } });
  expect(small.headers.get('content-encoding')).toBe('br');
  const compressed = Buffer.from(await small.arrayBuffer());
  expect(compressed.length).toBeLessThan(text.length / 2);
  expect(brotliDecompressSync(compressed).toString()).toBe(text);
  expect((await app.request('/docs/scalar.0123456789abcdef.js')).status).toBe(404);
});

test('the document that the page reads is that of the app', async () => {
  expect(Object.keys((await membersOf(await app.request('/openapi.json')))['paths'] as object)).toEqual(['/v1/x']);
});
