/** `askfirst/client`: ask before linking or using, confirm, and do what is owed when a person changes their mind. */
export { createAskfirst, type Askfirst, type AskfirstOptions, type Link } from './client.ts';
export type { Checks, Mode, OnWouldDeny } from './checks.ts';
export type { Decision, Language, Reason } from './decision.ts';
export { AskfirstError, AskfirstRefused, AskfirstUnreachable } from './errors.ts';
export type { Informed, Obligation, ObligationHandler, ObligationReceiver, Receipt } from './obligations.ts';
export type { Action, Circumstances, LinkRequest, Scope, UseRequest } from './request.ts';
