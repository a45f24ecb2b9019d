import { announcedMs } from '../kernel/crypto/key-ring.ts';
import { withInstallation, withKeys } from './installation.ts';
import { print, remark } from './print.ts';
import { UsageError } from './usage-error.ts';

const last = {
  tokens: 'Tokens signed until then stay good for as long as they live.',
  receipts: 'Receipts signed until then verify for ever.',
};

/** Makes the next key that signs tokens or receipts; running instances notice by themselves. */
export const rotate = (name: string): Promise<void> => {
  if (name !== 'tokens' && name !== 'receipts') throw new UsageError('what to rotate is tokens or receipts');
  return withInstallation((installation) =>
    withKeys(installation, async (keys) => {
      const { kid, createdAt } = await keys.rotateSigningKey(name);
      const signsFrom = createdAt.add({ milliseconds: announcedMs }).round('second');
      print(
        `Key ${kid} signs ${name} from ${signsFrom.toString()} on; until then it is published, so that all know it.`,
      );
      remark(last[name]);
    }),
  );
};
