import type { CsvFormat } from './format.ts';

/**
 * Mailchimp, "Export Audience" as of 2024: one file each of subscribed, unsubscribed, cleaned and non-subscribed contacts. Fixed columns:
 * Email Address, the audience's own fields, MEMBER_RATING, OPTIN_TIME, OPTIN_IP, CONFIRM_TIME, CONFIRM_IP, …, LAST_CHANGED, LEID, EUID, NOTES,
 * TAGS; UNSUB_TIME and more in the file of those who left. Its help on data protection says what they show: OPTIN_* that somebody used the sign-up form,
 * CONFIRM_* that they confirmed from the mailbox. A contact who was added by hand has a CONFIRM_TIME too, but no OPTIN_IP: so all four are
 * needed. Nobody is taken for subscribed by the mere file; a cleaned address bounced, which is no answer. Times are UTC. How the columns of "marketing
 * permissions" are called is up to the audience: they are named in the mapping.
 */
export const mailchimp: CsvFormat = {
  id: 'mailchimp',
  title: 'Mailchimp audience export',
  versions: 'Mailchimp as of 2024',
  required: [['Email Address']],
  identifiers: [
    { column: 'Email Address', kind: 'email' },
    { column: 'Phone Number', kind: 'phone' },
  ],
  rules: [
    {
      column: 'UNSUB_TIME',
      says: 'always',
      decision: 'withdrawn',
      meaning: 'bulk-email-opt-out',
      occurredAt: ['UNSUB_TIME'],
    },
    {
      column: 'OPTIN_TIME',
      says: 'moment',
      decision: 'given',
      meaning: 'email-opt-in',
      occurredAt: ['CONFIRM_TIME', 'OPTIN_TIME'],
      evidence: ['OPTIN_TIME', 'OPTIN_IP', 'CONFIRM_TIME', 'CONFIRM_IP'],
    },
  ],
  // The files of those who left, bounced or never subscribed have the same columns; the name alone tells the last two.
  holdsNoYes: (fileName, headers) =>
    headers.has('unsub_time') || /^(non-?subscribed|unsubscribed|cleaned)/i.test(fileName),
};
