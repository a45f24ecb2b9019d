import { expect, test } from 'vitest';
import { z } from 'zod';
import { respond } from './respond.ts';
import { appOf, routes } from './test-support.ts';

const schema = z.object({ id: z.string(), inner: z.object({ a: z.int() }) });

test('members that the schema does not name never reach the client, at any depth', async () => {
  const verbResult = { id: '1', secret: 's', inner: { a: 1, email: 'eva@example.org' } };
  const { app } = appOf([routes({ '/x': (c) => respond(c, schema, verbResult, 201, { Location: '/x/1' }) })]);
  const response = await app.request('/x');
  expect([response.status, response.headers.get('location')]).toEqual([201, '/x/1']);
  expect(await response.json()).toEqual({ id: '1', inner: { a: 1 } });
});

test('a value that does not fit its schema is a failure of ours and is not sent', async () => {
  const reported: unknown[] = [];
  const { app } = appOf([routes({ '/x': (c) => respond(c, schema, { id: 'eva' } as never) })], {
    report: (error) => reported.push(error),
  });
  const response = await app.request('/x');
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('eva');
  expect(reported).toHaveLength(1);
});
