import type { Purpose } from './schema.ts';

const newest = (purpose: Purpose): number => purpose.notices.at(-1)!.version;

/** Whether the words of that version were wrong. */
export const isCorrected = (purpose: Purpose, version: number): boolean =>
  purpose.notices.some(({ corrects }) => corrects?.includes(version));

/** Whether an answer to that version of the notice still counts. */
export const counts = (purpose: Purpose, version: number): boolean =>
  purpose.retired === undefined &&
  !isCorrected(purpose, version) &&
  (!purpose.renewOnNewNotice || version === newest(purpose));

/** Whether none of the answers that may be recorded under `before` counts under `after` any more. */
export const asksAnew = (before: Purpose, after: Purpose): boolean =>
  before.notices.every(({ version }) => !counts(after, version));
