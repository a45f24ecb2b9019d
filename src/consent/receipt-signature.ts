import { sign, type KeyObject } from 'node:crypto';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet } from 'jose';
import { consentReceiptSchema, type ConsentReceipt } from './receipt.ts';

/** Names what was signed (RFC 8725 section 3.11): an access token can never pass for a receipt, nor a receipt for a token. */
const type = 'consent-receipt+jwt';

/** A real receipt has some three kilobytes. */
const longestReceipt = 65_536;

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * The receipt as a compact JWS (RFC 7515), ES256. Signed with node:crypto in this thread: at 0.03 ms that takes less than
 * handing it to WebCrypto's thread pool and back.
 * @param key private half on the curve P-256, and the `kid` under which the JWKS publishes the public half
 */
export const signReceipt = (
  receipt: ConsentReceipt,
  key: { readonly kid: string; readonly privateKey: KeyObject },
): string => {
  const signed = `${encode({ alg: 'ES256', typ: type, kid: key.kid })}.${encode(receipt)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
};

/** Why a receipt proves nothing. */
export type ReceiptFault =
  'malformed' | 'wrong-type' | 'wrong-algorithm' | 'keys-unusable' | 'unknown-key' | 'bad-signature' | 'not-a-receipt';

export type ReceiptProof =
  | { readonly genuine: true; readonly kid: string; readonly receipt: ConsentReceipt }
  | { readonly genuine: false; readonly fault: ReceiptFault };

/**
 * Whether this text is a receipt signed under one of these keys. Offline; never throws, whatever the text and the key set hold,
 * and hands out nothing of a receipt that is not genuine.
 * @param jwks the key set as published at `/.well-known/jwks.json`; that it is really the controller's is for the caller to know
 */
export const verifyReceipt = async (text: string, jwks: JSONWebKeySet): Promise<ReceiptProof> => {
  const jws = text.trim();
  if (jws.length > longestReceipt || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(jws))
    return { genuine: false, fault: 'malformed' };
  try {
    const { alg, typ, kid } = decodeProtectedHeader(jws);
    if (typ !== type) return { genuine: false, fault: 'wrong-type' };
    if (alg !== 'ES256') return { genuine: false, fault: 'wrong-algorithm' };
    // Without it, any key of the set that fits would do.
    if (typeof kid !== 'string') return { genuine: false, fault: 'unknown-key' };
    const { payload } = await compactVerify(jws, createLocalJWKSet(jwks), { algorithms: ['ES256'] });
    const receipt = consentReceiptSchema.safeParse(JSON.parse(new TextDecoder().decode(payload)));
    return receipt.success ? { genuine: true, kid, receipt: receipt.data } : { genuine: false, fault: 'not-a-receipt' };
  } catch (error) {
    return { genuine: false, fault: faultOf(error) };
  }
};

const faultOf = (error: unknown): ReceiptFault => {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad-signature';
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown-key';
  if (error instanceof errors.JWKSInvalid || error instanceof errors.JWKSMultipleMatchingKeys) return 'keys-unusable';
  return error instanceof SyntaxError ? 'not-a-receipt' : 'malformed';
};
