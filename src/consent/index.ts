export { addAnswer, answersFor, everything, type Answer, type Answers, type Scope } from './answers.ts';
export { consentStatus, type ConsentCode, type ConsentStatus } from './consent-status.ts';
export { answersAsOf, readEvent, readHistory, statusOfAll } from './read-history.ts';
export {
  methods,
  recordEvent,
  type Consequence,
  type ConsentDeps,
  type GroundEnded,
  type RecordedEvent,
} from './record-event.ts';
export { recordConsent } from './record-consent.ts';
export { consentRoutes } from './routes.ts';
export { objectToPurpose, withdrawConsent } from './withdraw-consent.ts';
export { consentReceipt } from './receipt.ts';
export { signReceipt, verifyReceipt } from './receipt-signature.ts';
export { verifyReceiptText } from './verify-receipt-text.ts';
export * as consentSchemas from './schema.ts';
