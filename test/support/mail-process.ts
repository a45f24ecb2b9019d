import { systemClock } from '../../src/kernel/clock.ts';
import { localKeyEncryption } from '../../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../../src/kernel/crypto/key-store.ts';
import { connect } from '../../src/kernel/database/client.ts';
import { createMailWorker } from '../../src/kernel/mail/mail-worker.ts';
import { createMailTransport } from '../../src/kernel/mail/transport.ts';

/**
 * An instance that only sends mail, in a process of its own, and stands still between a mail's sending and its writing back, so that a test
 * can kill it there: `<database> <key store> <key-encryption key> <mail server>`.
 */
const [databaseUrl, keysUrl, keyEncryptionKey, url] = process.argv.slice(2) as [string, string, string, string];
const transport = createMailTransport({ url, from: 'club@example.org' });
createMailWorker({
  database: connect(databaseUrl, { connections: 2 }),
  keys: createKeyStore(keysUrl, localKeyEncryption(keyEncryptionKey)),
  clock: systemClock,
  log: { warn: (about, message) => console.error(message, about) },
  send: async (content, messageId) => {
    console.log(await transport.send(content, messageId));
    return new Promise(() => {});
  },
}).start();
