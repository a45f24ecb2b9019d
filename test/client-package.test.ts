import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { permit, refusal, startService, type Service } from '../src/client/test-service.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const windows = process.platform === 'win32';

/** npm of the host, which may be older than this process. */
const npm = (cwd: string, ...words: string[]) =>
  run(windows ? 'npm.cmd' : 'npm', words, {
    cwd,
    shell: windows,
    env: { ...process.env, npm_config_loglevel: 'error' },
  });

/** The first Node 20 on the PATH; ours, which lies in node_modules, is not meant. */
const findNode20 = async (): Promise<string | undefined> => {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const node = join(folder, windows ? 'node.exe' : 'node');
    if (folder.includes('node_modules') || !existsSync(node)) continue;
    const { stdout } = await run(node, ['--version']);
    if (stdout.startsWith('v20.')) return node;
  }
  return undefined;
};

const node20 = await findNode20();
if (node20 === undefined) console.log('tests: no Node 20 on the PATH, so askfirst/client was tried on this Node alone');

const component = `
import { createAskfirst, AskfirstRefused } from 'askfirst/client';

const { options, delivery } = JSON.parse(process.argv[2]);
const client = createAskfirst(options);
const eva = { customer: 'crm:4711', identity: 'facebook:1029384756' };
const permitted = await client.mayLink(eva);
const link = await client.confirmLink(permitted, eva);
const denied = await client.mayUse({ action: 'contact', purpose: 'newsletter', customer: 'crm:4711', scope: { channel: 'email' } });
const refused = await client.confirmLink({ lease: { id: 'another' } }, eva).catch((error) => error instanceof AskfirstRefused && error.code);
const unreachable = await createAskfirst({ ...options, baseUrl: 'http://127.0.0.1:1' }).mayUseAll([{ action: 'retain', purpose: 'newsletter', customer: 'crm:4711' }]);
const receipt = await client.onObligation(async ({ kind }) => { if (kind !== 'unlink') throw kind; })(delivery.body, delivery.headers);
console.log(JSON.stringify({
  node: process.versions.node.split('.')[0],
  answers: [permitted.permit, link.linkId, denied.permit, refused, unreachable[0].reasons[0].code, receipt],
}));
`;

const gate = `
import { Hono } from 'hono';
import { createAskfirst } from 'askfirst/client';
import { askfirstGate, obligationsRoute } from 'askfirst/client/hono';

const client = createAskfirst(JSON.parse(process.argv[2]).options);
const app = new Hono()
  .post('/links', askfirstGate({ client, ask: () => ({ customer: 'crm:4711', identity: 'facebook:1' }) }), (c) => c.text(c.var.decision.decisionId))
  .post('/askfirst', obligationsRoute(client, async () => undefined));
const passed = await app.request('/links', { method: 'POST' });
const unsigned = await app.request('/askfirst', { method: 'POST', body: '{}' });
console.log(JSON.stringify([passed.status, await passed.text(), unsigned.status]));
`;

const typed = `
import { Hono } from 'hono';
import { createAskfirst, type Decision, type LinkRequest, type Obligation } from 'askfirst/client';
import { askfirstGate, obligationsRoute } from 'askfirst/client/hono';

const client = createAskfirst({ baseUrl: 'https://askfirst.example.org', system: 's', clientId: 'c', clientSecret: 'x' });
const request: LinkRequest = { customer: 'crm:1', identity: 'x:2', match: { method: 'declared' }, chain: undefined };
const decision: Decision = await client.mayLink(request);
const link = await client.confirmLink(decision, request);
const linkId: string | null = link.linkId;
await client.mayUse({ action: 'publish_aggregate', purpose: 'open-statistics', aggregate: 'nights', cellSize: 12 });
// @ts-expect-error a misspelt circumstance
await client.mayUse({ action: 'reply', purpose: 'customer-service', identity: 'x:2', inReplyTo: { openedBySubject: true, day: 2 } });
// @ts-expect-error about nobody
await client.mayUse({ action: 'reply', purpose: 'customer-service' });
// @ts-expect-error no such action
await client.mayUse({ action: 'sell', purpose: 'third-party-sharing', customer: 'crm:1' });
const unlink = async (obligation: Obligation): Promise<void> => {
  if (obligation.kind !== 'unlink') throw new Error(obligation.kind);
  obligation.linkId satisfies string;
};
new Hono()
  .post('/links', askfirstGate({ client, ask: () => ({ customer: 'crm:1', identity: 'x:2' }) }), (c) => c.json(c.var.decision.obligations satisfies string[]))
  .post('/askfirst', obligationsRoute(client, unlink));
export { linkId };
`;

describe('the package askfirst', () => {
  let folder: string;
  let project: string;
  let service: Service;
  let input: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'askfirst client '));
    project = join(folder, 'a component');
    await mkdir(project);
    await npm(root, 'pack', './src/client', '--pack-destination', folder);
    // Its dependencies from what is installed here: a test run needs no registry.
    const dependencies = ['standardwebhooks', '@stablelib/base64', 'fast-sha256', 'hono'];
    for (const name of dependencies)
      await npm(root, 'pack', `./node_modules/${name}`, '--ignore-scripts', '--pack-destination', folder);
    const tarballs = (await readdir(folder)).filter((name) => name.endsWith('.tgz') && !name.startsWith('hono'));
    await writeFile(join(project, 'package.json'), '{ "name": "component", "private": true, "type": "module" }');
    await npm(project, 'install', '--offline', '--ignore-scripts', ...tarballs.map((name) => join('..', name)));
    await writeFile(join(project, 'component.js'), component);
    await writeFile(join(project, 'gate.js'), gate);
    await writeFile(join(project, 'typed.ts'), typed);

    service = await startService();
    service.answer('/access/v1/evaluation', ({ json }) => ({
      body: json.action.name === 'link' ? permit() : refusal(),
    }));
    service.answer('/v1/links', ({ json }) =>
      json.leaseId === permit().context.lease.id
        ? { status: 201, body: { linkId: 'l1', status: 'active' } }
        : { status: 409, body: { code: 'linkage.lease-unknown' } },
    );
    const secret = `whsec_${Buffer.from('n'.repeat(32)).toString('base64')}`;
    const data = { obligationId: 'o1', dueAt: '2026-07-16T09:30:00Z', purpose: 'profile-linking', linkId: 'l1' };
    const body = JSON.stringify({ type: 'obligation.unlink', timestamp: '2026-07-15T09:30:00Z', data });
    const now = new Date();
    const headers = {
      'webhook-id': 'o1',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('o1', now, body),
    };
    input = JSON.stringify({ options: { ...service.options, webhookSecrets: [secret] }, delivery: { body, headers } });
  }, 180_000);

  afterAll(async () => {
    await service?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  it('brings one dependency and nothing of the server', async () => {
    const installed = (await readdir(join(project, 'node_modules'))).filter((name) => !name.startsWith('.'));
    expect(installed.toSorted()).toEqual(['@stablelib', 'askfirst', 'fast-sha256', 'standardwebhooks']);
    const files = await readdir(join(project, 'node_modules/askfirst'), { recursive: true });
    expect(files.filter((name) => /test|\.tsbuildinfo|(?<!\.d)\.ts$/.test(name))).toEqual([]);
    expect(files).toContain('README.md');
    for (const name of files.filter((file) => file.endsWith('.js'))) {
      const text = await readFile(join(project, 'node_modules/askfirst', name), 'utf8');
      const imports = [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from);
      for (const from of imports) expect(from).toMatch(/^(\.\/[\w-]+\.js|standardwebhooks|hono\/body-limit)$/);
    }
  });

  const answersOf = async (node: string) => {
    const { stdout, stderr } = await run(node, ['component.js', input], { cwd: project });
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  };
  const answers = [
    true,
    'l1',
    false,
    'linkage.lease-unknown',
    'askfirst.unreachable',
    { status: 200, body: { acknowledged: true } },
  ];

  it('asks, confirms and takes an obligation on this Node', async () => {
    expect((await answersOf(process.execPath)).answers).toEqual(answers);
  });

  it.skipIf(node20 === undefined)('asks, confirms and takes an obligation on Node 20', async () => {
    expect(await answersOf(node20!)).toEqual({ node: '20', answers });
  });

  it('guards a Hono app, and its declarations refuse what the service would', async () => {
    const [hono] = (await readdir(folder)).filter((name) => name.startsWith('hono'));
    await npm(project, 'install', '--offline', '--ignore-scripts', join('..', hono!));
    const { stdout } = await run(node20 ?? process.execPath, ['gate.js', input], { cwd: project });
    expect(JSON.parse(stdout)).toEqual([200, permit().context.decisionId, 401]);

    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'dom', 'dom.iterable'],
      types: [],
      strict: true,
      noEmit: true,
    };
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const checked = await run(process.execPath, [tsc, '-p', project], { cwd: project }).catch((error) => error);
    expect(checked.stdout).toBe('');
  });
});
