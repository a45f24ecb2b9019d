import { z } from 'zod';
import { openCapability, sealCapability } from '../kernel/crypto/capability.ts';
import type { Database } from '../kernel/database/client.ts';
import { languages } from '../policies/index.ts';
import { obligationColumns } from './lease-obligations.ts';
import type { Obligation } from './obligation.ts';

/** What the link in a mailed task allows: to say that this one obligation is done; of one to inform, with the words that the mail gave. */
const grantSchema = z.strictObject({
  kind: z.literal('task'),
  system: z.string(),
  obligationId: z.uuid(),
  notice: z.strictObject({ version: z.int(), language: z.enum(languages) }).optional(),
});
export type TaskGrant = z.output<typeof grantSchema>;

export const sealTask = (key: Buffer, grant: TaskGrant): string => sealCapability(key, grant);

/** The grant behind the token of a link; undefined when it is no task of ours. */
export const openTask = (key: Buffer, token: string): TaskGrant | undefined =>
  grantSchema.safeParse(openCapability(key, token)).data;

/** The obligation of a task, and whether it is done; undefined when it is gone. */
export const readTask = async (
  database: Database,
  { system, obligationId }: TaskGrant,
): Promise<{ obligation: Obligation; done: boolean } | undefined> => {
  const [row] = await database.query<Obligation & { done: boolean }>(
    `select ${obligationColumns}, o.acknowledged_at is not null as done from obligation o where o.system = $1 and o.id = $2`,
    [system, obligationId],
  );
  if (!row) return undefined;
  const { done, ...obligation } = row;
  return { obligation, done };
};
