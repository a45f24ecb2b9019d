import { expect, test } from 'vitest';
import { languageOf } from './language.ts';

test('the link decides, then what the browser wants most of ours, then English', () => {
  for (const [wish, accept, language] of [
    ['it', 'de', 'it'],
    ['IT', 'de', 'de'],
    ['xx', 'fr-CH, fr;q=0.9', 'fr'],
    [undefined, 'rm, de-CH;q=0.8, it;q=0.9', 'it'],
    [undefined, 'en;q=0.1, DE;q=0.2', 'de'],
    [undefined, 'de;q=0, fr;q=0.1', 'fr'],
    [undefined, 'de-AT,fr', 'de'],
    [undefined, 'es, *;q=0.5', 'en'],
    [undefined, ';;q=,,de;q=x', 'de'],
    [undefined, '', 'en'],
    [undefined, undefined, 'en'],
  ] as const)
    expect([accept, languageOf(wish, accept)]).toEqual([accept, language]);
});
