/** What an access token may allow (RFC 6749 section 3.3), with the words of the API reference. */
export const SCOPES = {
  'decisions:evaluate': 'Ask whether an act is permitted',
  'consents:write': 'Record and withdraw consent, object',
  'consents:read': 'Read the status, history and receipts of consent',
  'subjects:write': 'Register identifiers and prove control of them',
  'subjects:read': 'Look up subjects',
  'links:write': 'Confirm and end links',
  'links:read': 'Read links',
  'obligations:read': 'Pull and acknowledge obligations',
  'endpoints:write': "Set the own system's webhook endpoint",
} as const;

export type Scope = keyof typeof SCOPES;

export const isScope = (text: string): text is Scope => Object.hasOwn(SCOPES, text);
