import { readConfig } from '../src/config.ts';
import { createLog } from '../src/kernel/log.ts';
import { startService } from '../src/main.ts';
import { personalSchemas } from '../src/personal-schemas.ts';

// The service as `npm start` runs it; only that it tells its parent where it listens, and ends with it.
const { settings, secrets } = readConfig();
const service = await startService({
  settings,
  urls: secrets.urls!,
  keyEncryptionKeys: secrets.keyEncryptionKeys!,
  log: createLog({ level: settings.logLevel, stream: process.stdout, personal: personalSchemas() }),
});
const stop = async (): Promise<void> => {
  await service.stop();
  process.exit(0); // a profile is written at the exit
};
process.once('SIGTERM', () => void stop());
process.once('disconnect', () => process.exit(1));
process.send!({ url: service.url });
