import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { Hono } from 'hono';
import type { HttpEnv } from '../http/env.ts';
import { answer } from '../http/answer.ts';
import { answerProblem, noSuchPath } from '../http/problem.ts';

/** Pico without classes, out of its package, and what is ours: pages load nothing from elsewhere. */
const plain = Buffer.concat([
  readFileSync(fileURLToPath(import.meta.resolve('@picocss/pico/css/pico.classless.min.css'))),
  readFileSync(join(import.meta.dirname, 'portal.css')),
]);

const name = `pages.${createHash('sha256').update(plain).digest('base64url').slice(0, 16)}.css`;

/** Where the stylesheet is found. The name changes with the content, so whoever has it may keep it. */
export const stylesheetPath = `/assets/${name}`;

const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } });

/** `GET /assets/pages.….css` */
export const stylesheetRoutes = (): Hono<HttpEnv> =>
  new Hono<HttpEnv>().get('/assets/:name', (c) => {
    if (c.req.param('name') !== name) return answerProblem(c, noSuchPath);
    const headers = { 'Cache-Control': 'public, max-age=31536000, immutable', Vary: 'Accept-Encoding' };
    const takesBrotli = /\bbr\b/.test(c.req.header('accept-encoding') ?? '');
    return takesBrotli
      ? answer(c, 200, new Uint8Array(brotli), 'text/css; charset=utf-8', { ...headers, 'Content-Encoding': 'br' })
      : answer(c, 200, new Uint8Array(plain), 'text/css; charset=utf-8', headers);
  });
