import type { CsvFormat } from './format.ts';

/**
 * HubSpot CRM, export of contacts with all properties, labels as of 2025: `hs_email_optout` "Unsubscribed from all email",
 * `hs_email_optout_<id>` "Opted out of email: <subscription type>", `hs_legal_basis` "Legal basis for processing contact's data" (several are
 * joined by semicolons; values in HubSpot's article "Track lawful basis of processing"). The export does not say how and when a consent was
 * given, so a yes from it is unproven; HubSpot's log of consents does, and goes in as NDJSON or with own columns in the mapping.
 */
export const hubspot: CsvFormat = {
  id: 'hubspot',
  title: 'HubSpot contact export',
  versions: 'HubSpot as of 2025',
  required: [['Record ID', 'Contact ID', 'Email']],
  identifiers: [
    { column: 'Record ID', kind: 'number' },
    { column: 'Contact ID', kind: 'number' },
    { column: 'Email', kind: 'email' },
    { column: 'Phone Number', kind: 'phone' },
    { column: 'Mobile Phone Number', kind: 'phone' },
  ],
  rules: [
    // Its subscription types include letters from one person to another.
    { column: 'Unsubscribed from all email', says: 'flag', decision: 'withdrawn', meaning: 'do-not-email' },
    { column: 'Opted out of email: *', says: 'flag', decision: 'withdrawn', meaning: 'bulk-email-opt-out' },
    { column: 'Opted out of email: One to One', says: 'flag', decision: 'withdrawn', meaning: 'do-not-email' },
    {
      column: "Legal basis for processing contact's data",
      says: ['Freely given consent from contact'],
      decision: 'given',
      meaning: 'email-opt-in',
    },
  ],
};
