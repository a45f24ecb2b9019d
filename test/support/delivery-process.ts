import { systemClock } from '../../src/kernel/clock.ts';
import { localKeyEncryption } from '../../src/kernel/crypto/key-encryption.ts';
import { createKeyStore } from '../../src/kernel/crypto/key-store.ts';
import { connect } from '../../src/kernel/database/client.ts';
import { createDeliveryWorker, createWebhookSender } from '../../src/systems/index.ts';

/** An instance that only delivers, in a process of its own, so that a test can kill it: `<database> <key store> <key-encryption key>`. */
const [databaseUrl, keysUrl, keyEncryptionKey] = process.argv.slice(2) as [string, string, string];
createDeliveryWorker({
  database: connect(databaseUrl, { connections: 2 }),
  keys: createKeyStore(keysUrl, localKeyEncryption(keyEncryptionKey)),
  clock: systemClock,
  log: { warn: (about, message) => console.error(message, about) },
  systems: () => Promise.resolve(new Map([['crm', { kind: 'webhook' }]])),
  describe: () => Promise.resolve(new Map()),
  onAcknowledged: () => Promise.resolve(),
  send: createWebhookSender({ allowPrivateTargets: true }),
}).start();
