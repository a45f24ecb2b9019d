import type { Scope } from '../../src/http/index.ts';
import { startTestApp } from './app.ts';
import { linkAccount, linkQuestion } from './people.ts';

type Question = ReturnType<typeof linkQuestion>;

/** What the conformance suite needs to know of the service under test. */
export type AuthzenTarget = {
  /** Base URL, without a slash at the end. */
  url: string;
  /** Value of `Authorization` for the system in the questions below, with the scope for checks or with these scopes. */
  authorization(scopes?: readonly Scope[]): Promise<string>;
  /** A question that is permitted, however often it is asked, because of its purpose and customer. */
  permitted: Omit<Question, 'context'> & { context: Record<string, unknown> };
  /** The same question about another resource, which is denied. */
  denied: Question;
  /** A search and the ids that it finds: at least three. */
  search: { request: object; found: readonly string[] };
  close(): Promise<void>;
};

const customer = 'crm:4711';
const accounts = [
  'facebook:1029384756',
  'instagram:17841405822304914',
  'x:44196397',
  'youtube:UC_x5XG1OV2P6uZZ5FSM9Ttw',
];

/** The real service with one customer who agreed to links to four accounts, proved and confirmed. */
export const startAuthzenTarget = async (): Promise<AuthzenTarget> => {
  const app = await startTestApp();
  await app.call('POST', '/v1/subjects', { body: { identifiers: [{ identifier: customer }] } });
  for (const account of accounts) await linkAccount(app, customer, account);
  const permitted = linkQuestion(customer, accounts[0]!);
  return {
    url: app.url,
    authorization: (scopes = ['decisions:evaluate']) => app.token('community-desk', scopes),
    permitted,
    denied: linkQuestion(customer, 'facebook:99999999'),
    search: { request: { ...permitted, resource: { type: 'social_identity' } }, found: accounts },
    close: () => app.close(),
  };
};
