/**
 * Exports in the shapes in which CiviCRM and SuiteCRM write them, of invented people who are the same in every run. Person `n` is in the
 * CiviCRM file for n < 5,000 and in the SuiteCRM file from there on: two organisations, as a number of one CRM names one person.
 */

export const people = 5_000;
const suitecrmFrom = 5_000;

const mix = (n: number, salt: number): number => {
  let value = Math.imul((n + 1) ^ Math.imul(salt + 1, 0x9e3779b1), 0x45d9f3b);
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (value ^ (value >>> 16)) >>> 0;
};
/** Whether something holds for this person that holds for `percent` of all. */
const isOne = (n: number, salt: number, percent: number): boolean => mix(n, salt) % 1000 < percent * 10;
const oneOf = <T>(n: number, salt: number, values: readonly T[]): T => values[mix(n, salt) % values.length]!;
const two = (value: number): string => String(value).padStart(2, '0');

const given = ['Eva', 'Luca', 'Anaïs', 'Reto', 'Giulia', 'Noé', 'Ursina', 'Peter', 'Zoë', 'Marc'];
const family = [
  'Muster',
  'Bernasconi',
  'Favre',
  'Caduff',
  'Müller',
  "D'Angelo",
  'Meier-Kunz',
  'O"Neill',
  'Roth, dipl. Ing.',
  'Weiß',
];

export const emailOf = (n: number): string => `person.${n}@example.org`;
/** A household of four shares a number. */
export const phoneOf = (n: number): string =>
  `+4179${String(1_000_000 + (n - (n % 20 < 4 ? n % 20 : 0))).padStart(7, '0')}`;
export const civicrmIdOf = (n: number): string => String(1_000 + n);
export const suitecrmIdOf = (n: number): string => {
  const hex = (salt: number, digits: number) => mix(n, salt).toString(16).padStart(8, '0').slice(0, digits);
  return `${hex(91, 8)}-${hex(92, 4)}-${hex(93, 4)}-${hex(94, 4)}-${hex(95, 8)}${hex(96, 4)}`;
};

export const saidNoInCivicrm = (n: number): boolean => isOne(n, 1, 8);
/** Said yes on a form whose date and name were kept; every tenth before our notice was there. */
export const saidYesInCivicrm = (n: number): boolean => !saidNoInCivicrm(n) && isOne(n, 2, 30);
const answeredOn = (n: number): string =>
  `${mix(n, 3) % 10 === 0 ? 2025 : 2026}-0${1 + (mix(n, 4) % 3)}-${two(1 + (mix(n, 5) % 28))}`;

const quoted = (cells: readonly string[]): string => cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',');

/** civicrm-core, tests/phpunit/CRM/Export/BAO/ExportTest.php, then two custom fields. */
const civicrmHeaders =
  'Contact ID|Contact Type|Contact Subtype|Do Not Email|Do Not Phone|Do Not Mail|Do Not Sms|Do Not Trade|No Bulk Emails (User Opt Out)|Legal Identifier|External Identifier|Sort Name|Display Name|Nickname|Legal Name|Image Url|Preferred Communication Method|Preferred Language|Preferred Mail Format|Contact Hash|Contact Source|First Name|Middle Name|Last Name|Individual Prefix|Individual Suffix|Formal Title|Communication Style|Email Greeting ID|Postal Greeting ID|Addressee ID|Job Title|Gender|Birth Date|Deceased|Deceased Date|Household Name|Organization Name|Sic Code|Unique ID (OpenID)|Current Employer ID|Contact is in Trash|Created Date|Modified Date|Addressee|Email Greeting|Postal Greeting|Current Employer|Location Type|Street Address|Street Number|Street Number Suffix|Street Name|Street Unit|Supplemental Address 1|Supplemental Address 2|Supplemental Address 3|City|Postal Code Suffix|Postal Code|Latitude|Longitude|Address Name|Master Address Belongs To|County|State|Country|Phone|Phone Extension|Phone Type|Email|On Hold|Use for Bulk Mail|Signature Text|Signature Html|IM Provider|IM Screen Name|OpenID|World Region|Website|Group(s)|Tag(s)|Note(s)|Newsletter consent on|Newsletter consent by'.split(
    '|',
  );

const flag = (is: boolean): string => (is ? '1' : '');

const civicrmPerson = (n: number): Record<string, string> => {
  const yes = saidYesInCivicrm(n);
  const [first, last] = [oneOf(n, 20, given), oneOf(n, 21, family)];
  return {
    'Contact ID': civicrmIdOf(n),
    'Contact Type': 'Individual',
    'Do Not Email': flag(isOne(n, 10, 3)),
    'Do Not Phone': flag(isOne(n, 11, 5)),
    'Do Not Mail': flag(isOne(n, 12, 4)),
    'Do Not Sms': flag(isOne(n, 13, 2)),
    'Do Not Trade': flag(isOne(n, 14, 6)),
    'No Bulk Emails (User Opt Out)': flag(saidNoInCivicrm(n)),
    'Sort Name': `${last}, ${first}`,
    'Display Name': `${first} ${last}`,
    'Preferred Communication Method': oneOf(n, 22, ['', 'Email', 'Phone, Email']),
    'Preferred Language': oneOf(n, 23, [
      'German (Switzerland)',
      'French (France)',
      'Italian (Italy)',
      'English (United States)',
    ]),
    'First Name': first,
    'Last Name': last,
    'Created Date': '2021-05-04 10:00:00',
    'Location Type': 'Home',
    'Street Address': n % 50 === 0 ? `c/o Chalet "Alpenblick"\nHinterhaus ${n}` : `Beispielweg ${n % 200}`,
    City: 'Beispielalp',
    'Postal Code': '3999',
    Country: 'Switzerland',
    Phone: n % 3 === 0 ? phoneOf(n) : '',
    'Phone Type': n % 3 === 0 ? 'Mobile' : '',
    Email: emailOf(n),
    'On Hold': n % 100 === 7 ? 'On Hold Bounce' : n % 100 === 8 ? 'On Hold Opt Out' : 'No',
    'Group(s)': n % 2 === 0 ? 'Newsletter, Members' : '',
    'Newsletter consent on': yes ? answeredOn(n) : '',
    'Newsletter consent by': yes && n % 7 !== 0 ? oneOf(n, 24, ['form on the website', 'card at the counter']) : '',
  };
};

const civicrmLine = (person: Record<string, string>): string =>
  quoted(civicrmHeaders.map((header) => person[header] ?? ''));

/**
 * A contact export of CiviCRM with a byte order mark. With odd lines at its end: one of an organisation without addresses, a broken mailbox,
 * a cell too few, one who is there twice, and one that carries another's mailbox beside its own number.
 */
export const civicrmExport = (count = people): string => {
  const lines = Array.from({ length: count }, (_, n) => civicrmLine(civicrmPerson(n)));
  const [one, other] = Array.from({ length: count }, (_, n) => n).filter(saidNoInCivicrm);
  const odd = [
    civicrmLine({
      'Contact ID': '',
      'Contact Type': 'Organization',
      'Do Not Mail': '1',
      'Organization Name': 'Example AG',
    }),
    civicrmLine({ ...civicrmPerson(count), Email: 'nobody(at)example.org', 'Do Not Email': '1' }),
    '"90001","Individual","","1"',
    civicrmLine(civicrmPerson(0)),
    civicrmLine({ 'Contact ID': civicrmIdOf(one!), Email: emailOf(other!), 'Do Not Trade': '1' }),
  ];
  return `\uFEFF${quoted(civicrmHeaders)}\r\n${[...lines, ...odd].join('\r\n')}\r\n`;
};

/** include/export_utils.php: the order of \`field_order_array['contacts']\` with the labels of Contacts, then what has no place there. */
const suitecrmHeaders =
  'First Name|Last Name|ID|Salutation|Job Title|Department|Account Name|Email Address|Non Primary E-mails|Mobile|Office Phone|Home|Other Phone|Fax|Primary Address Street|Primary Address City|Primary Address State|Primary Address Postal Code|Primary Address Country|Alternate Address Street|Alternate Address City|Alternate Address State|Alternate Address Postal Code|Alternate Address Country|Description|Birthdate|Lead Source|Campaign ID|Do Not Call|Portal User Type|Reports to ID|Assistant|Assistant Phone|Assigned to|Assigned User|Date Created|Date Modified|Modified By|Created By|Deleted|Lawful Basis|Lawful Basis Date Reviewed|Lawful Basis Source'.split(
    '|',
  );

const suitecrmPerson = (n: number): Record<string, string> => {
  const basis = oneOf(n, 30, ['', '', '', 'Consent', 'Consent,Contract', 'Withdrawn', 'Legitimate interest']);
  return {
    'First Name': oneOf(n, 20, given),
    'Last Name': oneOf(n, 21, family),
    ID: suitecrmIdOf(n),
    'Email Address': emailOf(n),
    'Non Primary E-mails': n % 40 === 0 ? `office.${n}@example.org;${n}@example.net` : '',
    Mobile: n % 4 === 0 ? `+41 79 ${String(4_000_000 + n).replace(/^(\d{3})(\d\d)(\d\d)$/, '$1 $2 $3')}` : '',
    'Office Phone': n % 5 === 0 ? '+41 27 555 00 00' : '',
    'Primary Address City': 'Beispielalp',
    Description: n % 60 === 0 ? 'Said at the fair:\r\n"call me in spring; not before"' : '',
    'Lead Source': 'Trade Show',
    'Do Not Call': isOne(n, 31, 7) ? '1' : '0',
    'Date Created': '04.05.2021 10:00',
    Deleted: '0',
    'Lawful Basis': basis,
    'Lawful Basis Date Reviewed': basis === '' ? '' : `${two(1 + (mix(n, 32) % 28))}.0${1 + (mix(n, 33) % 3)}.2026`,
    'Lawful Basis Source': basis === '' ? '' : oneOf(n, 34, ['Website', 'Phone', 'Given to User', 'Email', '']),
  };
};

const suitecrmLine = (person: Record<string, string>): string =>
  quoted(suitecrmHeaders.map((header) => person[header] ?? ''));

/** The export of Contacts of SuiteCRM. Who opted out is not in it: that is \`suitecrmOptOuts\`. */
export const suitecrmExport = (count = people): string => {
  const lines = Array.from({ length: count }, (_, index) => suitecrmLine(suitecrmPerson(suitecrmFrom + index)));
  const odd = [
    suitecrmLine({ ID: suitecrmIdOf(99_999), 'Last Name': 'Without any address', 'Do Not Call': '1' }),
    suitecrmLine({ ...suitecrmPerson(99_998), 'Email Address': 'two@example.org three@example.org', ID: '' }),
  ];
  return `${quoted(suitecrmHeaders)}\r\n${[...lines, ...odd].join('\r\n')}\r\n`;
};

/** A report of the Reports module on the same people, with semicolons as its user likes them. */
export const suitecrmOptOuts = (count = people): string =>
  [
    'ID;Email Address;Email Opt Out',
    ...Array.from({ length: count }, (_, index) => suitecrmFrom + index)
      .filter((n) => isOne(n, 35, 9))
      .map((n) => `${suitecrmIdOf(n)};${emailOf(n)};Yes`),
  ].join('\n');
