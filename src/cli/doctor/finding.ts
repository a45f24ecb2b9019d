import type { Secrets, Settings } from '../../config.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Database } from '../../kernel/database/client.ts';
import type { PolicySets } from '../../policies/index.ts';

/** What a check found, in words; `todo` is what to do about it. Never holds a secret or anything about a person. */
export type Checked = { level: 'ok'; found: string } | { level: 'warn' | 'fail'; found: string; todo: string };

export type Finding = Checked & { check: string };

/** What there is to look at. `isEmbedded`: the databases are our own. */
export type Patient = {
  settings: Settings;
  mail: Secrets['mail'];
  urls: NonNullable<Secrets['urls']>;
  isEmbedded: boolean;
  keyEncryptionKeys: string;
  /** As the service's own role. */
  data: Database;
  keys: Database;
  policySets: PolicySets;
  clock: Clock;
};

export type Check = { name: string; run(patient: Patient): Promise<Checked> | Checked };

export const ok = (found: string): Checked => ({ level: 'ok', found });
export const warn = (found: string, todo: string): Checked => ({ level: 'warn', found, todo });
export const fail = (found: string, todo: string): Checked => ({ level: 'fail', found, todo });
