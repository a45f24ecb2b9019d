import type { ConsentDeps, RecordedEvent } from '../consent/index.ts';
import type { Log } from '../kernel/log.ts';
import type { Catalogue } from '../policies/index.ts';
import type { Capabilities } from './capabilities.ts';

/** What the pages work with. */
export type PortalDeps = ConsentDeps & {
  log: Log;
  /** Where people reach the service: links in mails and QR codes begin with it. */
  baseUrl: string;
  capabilities: Capabilities;
  catalogue(): Promise<Catalogue>;
  /** Signs the receipt of an event. */
  receipt(event: RecordedEvent): Promise<string>;
  /** Lets those look at once who act upon what a no has ended, and who send mail. */
  wake(): void;
};

/** Who acts where a person does so without a system between. */
export const pages = { system: 'askfirst', clientId: 'askfirst' };
