import { expect, test } from 'vitest';
import { smallPolicies, withPolicies } from '../../test/support/small-policies.ts';
import { loadCatalogue } from '../policies/index.ts';
import { prepare } from './prepare.ts';

const ask = async (files: Readonly<Record<string, string>>, asksFor: string) => {
  const catalogue = await withPolicies(files, loadCatalogue);
  const request = {
    subject: { type: 'system', id: 'crm' },
    action: { name: 'contact' },
    resource: { type: 'customer', id: 'crm:4711' },
    context: { purpose: 'newsletter', channel: 'letter', recipient: 'hotels', asksFor },
  };
  return prepare(request, 'crm', catalogue, Buffer.alloc(32));
};

test('a message may ask for consent to what there is, not to what is misspelt or retired', async () => {
  expect(await ask(smallPolicies, 'profile-linking')).toHaveProperty('question');
  const linking = 'purposes/profile-linking.yaml';
  const retired = { ...smallPolicies, [linking]: `${smallPolicies[linking]}retired: 2026-06-01\n` };
  for (const refused of [ask(smallPolicies, 'profile-linkin'), ask(retired, 'profile-linking')])
    expect(await refused).toEqual({
      refusal: { code: 'facts-invalid', detail: expect.stringContaining('context.asksFor') },
    });
});
