import { Hono } from 'hono';
import { serveBare } from './serve-bare.ts';

/** What evaluation is compared with: parses the same body and gives it back, nothing else. */
serveBare(new Hono().post('/access/v1/evaluation', async (c) => c.json(await c.req.json())));
