import { createHash } from 'node:crypto';
import type { Language, Purpose } from '../policies/index.ts';
import { NoticeUnknown, NoticeWordsDiffer } from './errors.ts';

/** Which words a person saw: `hash` is the SHA-256 (hexadecimal) of the text as the system showed it, when it says. */
export type NoticeShown = { version: number; language: Language; hash?: string | undefined };

export const hashOfWords = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * The words of a notice and their hash. Throws NoticeUnknown, or NoticeWordsDiffer when the system showed something else: consent to
 * other words is no consent to these (Art. 4(11) GDPR, "informed").
 */
export const wordsShown = (purpose: Purpose, shown: NoticeShown): { text: string; hash: Buffer } => {
  const notice = purpose.notices.find(({ version }) => version === shown.version);
  if (!notice) throw new NoticeUnknown(purpose.id);
  const text = notice.text[shown.language];
  const hash = hashOfWords(text);
  if (shown.hash !== undefined && shown.hash.toLowerCase() !== hash.toString('hex')) throw new NoticeWordsDiffer();
  return { text, hash };
};
