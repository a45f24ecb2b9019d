import { verifyReceipt, verifyReceiptText } from '../consent/index.ts';
import { withInstallation, withKeys } from './installation.ts';
import { print } from './print.ts';
import { readInput, readJson } from './read-input.ts';

type KeySet = Parameters<typeof verifyReceipt>[1];

const fetched = async (url: string): Promise<unknown> => {
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(10_000) });
    if (answer.ok) return await answer.json();
  } catch {
    // Said below, as for an answer that is no key set.
  }
  throw new Error(`no key set could be fetched from ${url}`);
};

const ownKeys = (): Promise<KeySet> =>
  withInstallation((installation) =>
    withKeys(installation, async (keys) => ({
      keys: (await keys.signingKeys('receipts')).map(({ publicJwk }) => publicJwk),
    })),
  );

/** `jwks` names where the issuer's key set was saved or is published; without it the receipt must be one of our own. */
export const verify = async (file: string, jwks: string | undefined): Promise<boolean> => {
  const receipt = await readInput(file);
  const keys =
    jwks === undefined ? await ownKeys() : await (/^https?:\/\//.test(jwks) ? fetched(jwks) : readJson(jwks));
  const proof = await verifyReceipt(receipt, keys as KeySet);
  print(verifyReceiptText(proof));
  return proof.genuine;
};
