import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

test('the tests run on Node 26, which has Temporal and runs TypeScript as it is', () => {
  expect(process.versions.node).toMatch(/^26\./);
  expect(Temporal.Instant.from('2026-01-01T00:00:00Z').epochMilliseconds).toBe(1767225600000);
  expect(process.features.typescript).toBe('strip');
});

test('every platform is offered the same Node', () => {
  const versions = Object.entries(manifest.optionalDependencies).filter(([name]) => name.startsWith('node-'));
  expect(versions).toHaveLength(5);
  for (const [, version] of versions) expect(version).toMatch(/^26\./);
});

test('every script that people run checks the Node it runs on first', () => {
  for (const [name, command] of Object.entries(manifest.scripts)) {
    if (name.startsWith('check:')) continue; // parts of check, which has
    expect(command, name).toMatch(/^node (-r )?\.\/scripts\/need-node-26\.cjs /);
  }
});
