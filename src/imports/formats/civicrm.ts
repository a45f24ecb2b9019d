import type { CsvFormat } from './format.ts';

/**
 * CiviCRM 5.x and 6.x, "Export Contacts", primary fields or chosen ones. Headers as its own test expects them
 * (civicrm-core, tests/phpunit/CRM/Export/BAO/ExportTest.php, getBasicHeaderDefinition); the flags are `1` or empty there, `Yes` or `No`
 * in a spreadsheet of SearchKit. "On Hold" can also mean that mail bounced (CRM_Core_SelectValues::emailOnHoldOptions): only its
 * third value is a no. Being in a group is no consent: an own column that shows how it came about is named in the mapping.
 */
export const civicrm: CsvFormat = {
  id: 'civicrm',
  title: 'CiviCRM contact export',
  versions: 'CiviCRM 5.x and 6.x',
  required: [['Contact ID', 'Email', 'Phone']],
  identifiers: [
    { column: 'Contact ID', kind: 'number' },
    { column: 'Email', kind: 'email' },
    { column: 'Phone', kind: 'phone' },
  ],
  rules: [
    { column: 'No Bulk Emails (User Opt Out)', says: 'flag', decision: 'withdrawn', meaning: 'bulk-email-opt-out' },
    { column: 'On Hold', says: ['2', 'On Hold Opt Out'], decision: 'withdrawn', meaning: 'bulk-email-opt-out' },
    { column: 'Do Not Email', says: 'flag', decision: 'refused', meaning: 'do-not-email' },
    { column: 'Do Not Phone', says: 'flag', decision: 'refused', meaning: 'do-not-phone' },
    { column: 'Do Not Sms', says: 'flag', decision: 'refused', meaning: 'do-not-sms' },
    { column: 'Do Not Mail', says: 'flag', decision: 'refused', meaning: 'do-not-mail' },
    { column: 'Do Not Trade', says: 'flag', decision: 'refused', meaning: 'do-not-trade' },
  ],
  warnings: (headers) =>
    headers.has('no bulk emails (user opt out)')
      ? []
      : ['no column "No Bulk Emails (User Opt Out)": whoever unsubscribed from mailings is not known from this file'],
};
