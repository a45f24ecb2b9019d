/** What an access token may allow (RFC 6749 section 3.3), with the words of the API reference. */
export const SCOPES = {
  'decisions:evaluate': 'Ask whether an act is permitted',
  'consents:write': 'Record and withdraw consent, object',
  'consents:read': 'Read the status, history and receipts of consent',
  'subjects:write': 'Register identifiers, prove control of them, report what was collected',
  'subjects:read': 'Look up subjects',
  'links:write': 'Confirm and end links, ask a human about a likely one',
  'links:read': 'Read links',
  'obligations:read': 'Pull and acknowledge obligations, also that a person was informed',
  'endpoints:write': "Set the own system's webhook endpoint",
} as const;

export type Scope = keyof typeof SCOPES;

export const isScope = (text: string): text is Scope => Object.hasOwn(SCOPES, text);
