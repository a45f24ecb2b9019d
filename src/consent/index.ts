export { answersFor, everything, recordedAct, type Answers, type Scope } from './answers.ts';
export { consentStatus, type ConsentStatus } from './consent-status.ts';
export { isInformedOf, recordInformed } from './informed.ts';
export { methods } from './commit-events.ts';
export { answersAsOf, readEvent } from './read-history.ts';
export { type Consequence, type GroundEnded, type NewEvent, type RecordedEvent } from './commit-events.ts';
export { NoSaidAlready } from './errors.ts';
export { isRecordedAlready, type ConsentDeps } from './record-event.ts';
export { confirmConsent } from './confirm-consent.ts';
export { dialogue, dialogueStatus } from './dialogue-status.ts';
export {
  commitImported,
  assertSayable,
  importedEventId,
  isSaidAlready,
  judgeImported,
  type ImportedStatement,
  type Judged,
} from './import-statements.ts';
export { inheritNoes } from './inherit-noes.ts';
export { mayBeAsked } from './may-be-asked.ts';
export { mergeSubjects } from './merge-subjects.ts';
export { recordBirthMonth } from './birth-month.ts';
export { recordGpcSignal } from './record-gpc-signal.ts';
export { recordedIds } from './recorded-ids.ts';
export { recordConsent } from './record-consent.ts';
export { consentRoutes } from './routes.ts';
export { objectToPurpose, withdrawConsent } from './withdraw-consent.ts';
export { consentReceipt } from './receipt.ts';
export { signReceipt, verifyReceipt } from './receipt-signature.ts';
export { verifyReceiptText } from './verify-receipt-text.ts';
export * as consentSchemas from './schema.ts';
