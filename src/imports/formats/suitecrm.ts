import type { CsvFormat } from './format.ts';

/**
 * SuiteCRM 7.10 to 7.14 and 8, SugarCRM CE 6.5: list view "Export" of Contacts, Leads or Targets. Columns and labels: include/export_utils.php
 * (`get_field_order_mapping`, `translateForExport`), modules/Contacts/Contact.php (`create_export_query`), the labels of
 * include/SugarObjects/templates/person/language/en_us.lang.php. Lawful basis: `lawful_basis_dom`, since 7.10.5; several are joined by commas,
 * dates are written as the exporting user likes them. Opt-outs belong to the address there and are *not* in this export; the columns for them
 * come from a report of the Reports module or from an add-on. A confirmed opt-in is `confirm_opt_in` of EmailAddresses.
 */
export const suitecrm: CsvFormat = {
  id: 'suitecrm',
  title: 'SuiteCRM/SugarCRM export',
  versions: 'SuiteCRM 7.10 to 7.14 and 8, SugarCRM CE 6.5',
  required: [['ID', 'Email Address', 'Email']],
  identifiers: [
    { column: 'ID', kind: 'number' },
    { column: 'Email Address', kind: 'email' },
    { column: 'Email', kind: 'email' },
    { column: 'Non Primary E-mails', kind: 'email', separator: ';' },
    { column: 'Mobile', kind: 'phone' },
    { column: 'Home', kind: 'phone' },
    { column: 'Office Phone', kind: 'phone' },
  ],
  rules: [
    { column: 'Email Opt Out', says: 'flag', decision: 'withdrawn', meaning: 'bulk-email-opt-out' },
    { column: 'Opted Out', says: 'flag', decision: 'withdrawn', meaning: 'bulk-email-opt-out' },
    { column: 'Opt Out', says: 'flag', decision: 'withdrawn', meaning: 'bulk-email-opt-out' },
    { column: 'Do Not Call', says: 'flag', decision: 'refused', meaning: 'do-not-phone' },
    {
      column: 'Lawful Basis',
      says: ['Withdrawn'],
      decision: 'withdrawn',
      meaning: 'consent-withdrawn',
      occurredAt: ['Lawful Basis Date Reviewed'],
    },
    {
      column: 'Lawful Basis',
      says: ['Consent'],
      decision: 'given',
      meaning: 'email-opt-in',
      occurredAt: ['Lawful Basis Date Reviewed'],
      evidence: ['Lawful Basis Source', 'Lawful Basis Date Reviewed'],
    },
    {
      column: 'Confirm Opt In',
      says: ['confirmed-opt-in', 'Confirmed Opt In'],
      decision: 'given',
      meaning: 'email-opt-in',
      occurredAt: ['Confirm Opt In Date'],
      evidence: ['Confirm Opt In', 'Confirm Opt In Date'],
    },
  ],
  warnings: (headers) =>
    ['email opt out', 'opted out', 'opt out'].some((header) => headers.has(header))
      ? []
      : [
          'no column for opted-out addresses: SuiteCRM leaves them out of its export, so bring them as well, from a report with "Email Opt Out"',
        ],
};
