import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';

/** Wraps the keys that lie in the key store. A KMS implements this; the default holds the keys given by file or environment. */
export type KeyEncryption = {
  /** Version that `wrap` uses. */
  current: number;
  wrap(key: Buffer): Promise<Buffer> | Buffer;
  unwrap(version: number, wrapped: Buffer): Promise<Buffer> | Buffer;
};

export class KeyUnusable extends AppError {
  constructor(why: string) {
    super('keys.unusable', 'unavailable', why);
  }
}

/** Nonces for so many values: drawing them at once costs a fraction. Each may be used for one value only. */
export const drawNonces = (count: number): Buffer[] => {
  const drawn = randomBytes(12 * count);
  return Array.from({ length: count }, (_, index) => drawn.subarray(12 * index, 12 * (index + 1)));
};

/** AES-256-GCM (NIST SP 800-38D): 12 bytes nonce, 16 bytes tag, ciphertext. `context` binds it to its place. */
export const seal = (key: Buffer, plain: Buffer, context: string, nonce: Buffer = randomBytes(12)): Buffer => {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
};

/** Opens what `seal` made with the same key and context. Throws KeyUnusable when either differs or a bit was changed. */
export const unseal = (key: Buffer, sealed: Buffer, context: string): Buffer => {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(12, 28));
    return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
  } catch {
    throw new KeyUnusable('a sealed value does not open with the key of its subject');
  }
};

/**
 * Key-encryption keys from text, one `version:base64` (32 bytes) per line or comma; the highest version wraps, the older ones still unwrap.
 * Throws KeyUnusable naming the line, never its content.
 */
export const localKeyEncryption = (text: string): KeyEncryption => {
  const keys = new Map<number, Buffer>();
  text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .forEach((line, index) => {
      // Strictly: two keys that somebody wrote on one line must not pass for the first of them.
      const [, version, encoded] = /^([1-9]\d{0,5}):([A-Za-z0-9+/]{43}=)$/.exec(line) ?? [];
      if (version === undefined)
        throw new KeyUnusable(`key-encryption key ${index + 1} must read <version>:<32 bytes in base64>`);
      keys.set(Number(version), Buffer.from(encoded!, 'base64'));
    });
  if (keys.size === 0) throw new KeyUnusable('no key-encryption key is given');
  const current = Math.max(...keys.keys());
  return {
    current,
    wrap: (key) => seal(keys.get(current)!, key, `kek:${current}`),
    unwrap: (version, wrapped) => {
      const key = keys.get(version);
      if (!key) throw new KeyUnusable(`key-encryption key ${version} is not given`);
      return unseal(key, wrapped, `kek:${version}`);
    },
  };
};

/** A new key-encryption key in the form that `localKeyEncryption` reads. */
export const newKeyEncryptionKey = (version: number): string => `${version}:${randomBytes(32).toString('base64')}`;
