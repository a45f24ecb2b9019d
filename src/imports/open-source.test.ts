import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadCatalogue, type Catalogue } from '../policies/index.ts';
import { mappingSchema } from './mapping.ts';
import { openSource, type Entry } from './open-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'askfirst formats '));
let catalogue: Catalogue;
beforeAll(async () => {
  catalogue = await loadCatalogue(join(import.meta.dirname, '../../policies'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = async (
  format: string,
  content: string | Buffer,
  { map = {}, as = 'crm', name = 'file' }: { map?: object; as?: string; name?: string } = {},
): Promise<Entry[]> => {
  const path = join(folder, name);
  writeFileSync(path, content);
  const source = await openSource(path, format, mappingSchema.parse(map), as, catalogue);
  return Array.fromAsync(source.entries());
};

/** What each line names and says, in short. */
const brief = (entries: readonly Entry[]) =>
  entries.map((entry) =>
    'problem' in entry
      ? entry.problem
      : [
          entry.said.identifiers.join(' '),
          ...entry.said.statements.map(
            ({ decision, purpose, scope, occurredAt, evidence }) =>
              `${decision} ${purpose}${Object.entries(scope)
                .map(([dimension, value]) => ` ${dimension}=${value}`)
                .join('')}${occurredAt ? ` ${occurredAt}` : ''}${evidence ? `: ${evidence}` : ''}`,
          ),
        ].join('; '),
  );

test('CiviCRM: columns in any order, more of them, capitals otherwise; each flag is a no, and none is nothing', async () => {
  const header =
    'City,EMAIL,No Bulk Emails (User Opt Out),Do not SMS,Contact ID,Do Not Trade,Phone,On Hold,Do Not Phone';
  const lines = await read(
    'civicrm',
    [
      header,
      'Bern,a@example.org,1,,12,,+41 79 123 45 67,No,',
      'Bern,b@example.org,,Yes,13,1,,2,0',
      'Bern,c@example.org,0,No,14,,,On Hold Bounce,No',
    ].join('\n'),
  );
  expect(brief(lines)).toEqual([
    'crm:12 email:a@example.org phone:+41 79 123 45 67; withdrawn newsletter channel=email',
    'crm:13 email:b@example.org; withdrawn newsletter channel=email; refused newsletter channel=sms; refused dialogue channel=sms; refused third-party-sharing',
    'crm:14 email:c@example.org',
  ]);
});

test('a byte order mark, CRLF, semicolons, quotes and lines within cells; a line with a cell too few is told by its number', async () => {
  const lines = await read(
    'civicrm',
    '\uFEFF"Contact ID";"Note(s)";"Email";"Do Not Email"\r\n1;"a ""quoted""\r\nnote; with more";"a@example.org";1\r\n2;"x"\r\n\r\n3;"";b@example.org;1\r\n',
  );
  expect(lines.map(({ line }) => line)).toEqual([2, 4, 6]);
  expect(brief(lines)).toEqual([
    'crm:1 email:a@example.org; refused newsletter channel=email; refused dialogue channel=email',
    'has 2 cells where the first line has 4',
    'crm:3 email:b@example.org; refused newsletter channel=email; refused dialogue channel=email',
  ]);
});

test('SuiteCRM: lawful bases among several, opt-outs from a report, further mailboxes, an apostrophe before a plus', async () => {
  const lines = await read(
    'suitecrm',
    [
      '"ID","Email Address","Non Primary E-mails","Mobile","Do Not Call","Lawful Basis","Lawful Basis Date Reviewed","Lawful Basis Source","Email Opt Out"',
      '"a1","a@example.org","b@example.org;c@example.org","\'+41791234567","1","Contract,Consent","14.03.2026","Website",""',
      '"a2","d@example.org","","","0","Withdrawn","14.03.2026","","1"',
      '"a3","e@example.org","","","0","Consent","14.03.2026","",""',
    ].join('\r\n'),
  );
  expect(brief(lines)).toEqual([
    'crm:a1 email:a@example.org email:b@example.org email:c@example.org phone:+41791234567; refused dialogue channel=phone; given newsletter channel=email 2026-03-14T00:00:00Z: SuiteCRM/SugarCRM export: Lawful Basis Source "Website", Lawful Basis Date Reviewed "14.03.2026"',
    'crm:a2 email:d@example.org; withdrawn newsletter channel=email; withdrawn newsletter 2026-03-14T23:59:59.999Z',
    'crm:a3 email:e@example.org; given newsletter channel=email 2026-03-14T00:00:00Z',
  ]);
});

test('Mailchimp: a yes shows form and mailbox or has no evidence; who is in the file of the unsubscribed said no, with or without a time', async () => {
  const header = 'Email Address,First Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LEID,EUID,NOTES';
  const rows = [
    'a@example.org,A,2,2026-03-01 10:00:00,203.0.113.7,2026-03-01 10:05:00,203.0.113.8,1,e,',
    // Added by hand: nobody used the form.
    'b@example.org,B,2,,,2026-03-01 10:05:00,203.0.113.9,2,e,',
    'c@example.org,C,2,2026-03-01 10:00:00,,2026-03-01 10:05:00,203.0.113.9,3,e,',
  ];
  const csv = [header, ...rows].join('\n');
  expect(brief(await read('mailchimp', csv, { name: 'subscribed_members_export_1.csv' }))).toEqual([
    'email:a@example.org; given newsletter channel=email 2026-03-01T10:05:00Z: Mailchimp audience export: OPTIN_TIME "2026-03-01 10:00:00", OPTIN_IP "203.0.113.7", CONFIRM_TIME "2026-03-01 10:05:00", CONFIRM_IP "203.0.113.8"',
    'email:b@example.org',
    'email:c@example.org; given newsletter channel=email 2026-03-01T10:05:00Z',
  ]);
  for (const name of ['nonsubscribed_members_export_1.csv', 'Non-Subscribed.csv', 'cleaned_members_export_1.csv'])
    expect(brief(await read('mailchimp', csv, { name }))[0]).toBe('email:a@example.org');
  const left = await read(
    'mailchimp',
    [
      `${header},UNSUB_TIME,UNSUB_REASON`,
      ...rows.map((row, n) => `${row},${n === 0 ? '2026-04-01 08:00:00' : ''},`),
    ].join('\n'),
  );
  expect(brief(left)).toEqual([
    'email:a@example.org; withdrawn newsletter channel=email 2026-04-01T08:00:00Z',
    'email:b@example.org; withdrawn newsletter channel=email',
    'email:c@example.org; withdrawn newsletter channel=email',
  ]);
});

test('a file of those who left holds no yes, whatever else stands in it', async () => {
  const csv =
    'Email Address,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,UNSUB_TIME\na@example.org,2026-03-01 10:00:00,203.0.113.7,2026-03-01 10:05:00,203.0.113.8,2026-04-01 08:00:00';
  const [entry] = await read('mailchimp', csv);
  expect(brief([entry!])[0]).not.toContain('given');
});

test('HubSpot: every subscription type that somebody left, and a yes that shows nothing of how it came about', async () => {
  const lines = await read(
    'hubspot',
    [
      "Record ID,First Name,Last Name,Email,Phone Number,Unsubscribed from all email,Opted out of email: Marketing Information,Opted out of email: One to One,Legal basis for processing contact's data",
      '101,A,B,a@example.org,+41 79 123 45 67,false,true,,Legitimate interest - existing customer;Freely given consent from contact',
      '102,C,D,b@example.org,,true,,,Not applicable',
    ].join('\n'),
  );
  expect(brief(lines)).toEqual([
    'crm:101 email:a@example.org phone:+41 79 123 45 67; withdrawn newsletter channel=email; given newsletter channel=email',
    'crm:102 email:b@example.org; withdrawn newsletter channel=email; withdrawn dialogue channel=email',
  ]);
});

test('a mapping: headers in another language, national numbers, own columns, a notice by language, what a column stands for', async () => {
  const [entry] = await read(
    'civicrm',
    'Kontakt-ID,E-Mail,Telefon,Sprache,Nicht weitergeben,Newsletter seit,Newsletter durch\n7,a@example.org,079 123 45 67,French (Switzerland),1,2026-02-03,Formular',
    {
      map: {
        headers: {
          'Kontakt-ID': 'Contact ID',
          'E-Mail': 'Email',
          Telefon: 'Phone',
          'Nicht weitergeben': 'Do Not Trade',
        },
        phoneCountry: 'CH',
        customerNumbers: false,
        notices: { newsletter: { version: 1, languageColumn: 'Sprache' } },
        means: { 'do-not-trade': [{ purpose: '*' }] },
        columns: [
          {
            column: 'Newsletter seit',
            says: 'moment',
            decision: 'given',
            answers: [{ purpose: 'newsletter', scope: { channel: 'email', topic: 'events' } }],
            occurredAt: 'Newsletter seit',
            evidence: ['Newsletter seit', 'Newsletter durch'],
          },
        ],
      },
    },
  );
  expect(entry).toMatchObject({
    said: {
      identifiers: ['email:a@example.org', 'phone:+41791234567'],
      statements: [
        { decision: 'refused', purpose: '*', scope: {} },
        {
          decision: 'given',
          purpose: 'newsletter',
          notice: { version: 1, language: 'fr' },
          occurredAt: '2026-02-03T00:00:00Z',
        },
      ],
    },
  });
});

const noToNews = { says: 'flag', decision: 'refused', answers: [{ purpose: 'newsletter' }] };

test.each([
  [
    'a column that is missing',
    'mailchimp',
    'Email,Name\na@example.org,A',
    {},
    /this is no Mailchimp.*"Email Address"; it has 2 column\(s\), none of which this format knows/,
  ],
  [
    'a column of the mapping that is missing',
    'hubspot',
    'Email\na@example.org',
    { notices: { newsletter: { version: 1, languageColumn: 'Sprache' } } },
    /column "Sprache", which the file does not have/,
  ],
  [
    'a purpose that does not exist',
    'civicrm',
    'Email,Do Not Trade\na@example.org,1',
    { means: { 'do-not-trade': [{ purpose: 'nonsense' }] } },
    /"Do Not Trade" cannot stand for "refused" of "nonsense": purpose is not one/,
  ],
  [
    'a scope that does not exist',
    'civicrm',
    'Email,Do Not Trade\na@example.org,1',
    { means: { 'do-not-trade': [{ purpose: 'newsletter', scope: { channel: 'fax' } }] } },
    /"Do Not Trade" cannot stand for .*channel: fax.*: scope\.channel is not a value/,
  ],
  [
    'a notice that does not exist',
    'civicrm',
    'Email\na@example.org',
    { notices: { newsletter: { version: 9, language: 'de' } } },
    /no notice of version 9/,
  ],
  [
    'an own column that is missing',
    'civicrm',
    'Email,Do Not Trade,Newsletter opt out\na@example.org,1,1',
    { columns: [{ ...noToNews, column: 'Newsletter opt out 2' }] },
    /column "Newsletter opt out 2", which the file does not have/,
  ],
  [
    'an own column with a star that no column begins with',
    'civicrm',
    'Email,Do Not Trade,Opt out a\na@example.org,1,1',
    { columns: [{ ...noToNews, column: 'Opted out *' }] },
    /column "Opted out \*", which the file does not have/,
  ],
  [
    'evidence in a column that is missing',
    'civicrm',
    'Email,Joined\na@example.org,2026-03-01',
    { columns: [{ ...noToNews, decision: 'given', column: 'Join*', evidence: ['Joined by'] }] },
    /column "Joined by", which the file does not have/,
  ],
  [
    'a renamed column that is missing',
    'civicrm',
    'Email,Keine Mailings\na@example.org,1',
    { headers: { 'Keine Mailing': 'Do Not Email' } },
    /column "Keine Mailing", which the file does not have/,
  ],
  [
    'a new name that nothing reads',
    'civicrm',
    'Email,Keine Mailings,Do Not Trade\na@example.org,1,1',
    { headers: { 'Keine Mailings': 'Do Not Emial' } },
    /"Keine Mailings" the name "Do Not Emial", which nothing reads/,
  ],
  [
    'a new name that another column has',
    'civicrm',
    'Email,Do Not Email,Keine Mailings\na@example.org,,1',
    { headers: { 'Keine Mailings': 'Do Not Email' } },
    /two columns the name "Do Not Email"/,
  ],
  [
    'an answer that its purpose cannot take',
    'civicrm',
    'Email,Do Not Trade,Told\na@example.org,1,1',
    { columns: [{ ...noToNews, column: 'Told', decision: 'informed' }] },
    /"Told" cannot stand for "informed" of "newsletter".*: purpose "newsletter" takes no answer of this kind/,
  ],
  [
    'a yes to everything',
    'civicrm',
    'Email,Do Not Trade,Member\na@example.org,1,1',
    { columns: [{ ...noToNews, column: 'Member', decision: 'given', answers: [{ purpose: '*' }] }] },
    /"Member" cannot stand for "given" of "\*"/,
  ],
  [
    'a platform for a purpose without platforms',
    'civicrm',
    'Email,Do Not Trade\na@example.org,1',
    { means: { 'do-not-trade': [{ purpose: 'newsletter', scope: { platform: 'facebook' } }] } },
    /scope\.platform is not a dimension/,
  ],
  [
    'a file of another program',
    'hubspot',
    'Contact ID,Email,Do Not Email\n1,a@example.org,1',
    {},
    /none of its columns says anything in a HubSpot contact export/,
  ],
  ['a time zone that does not exist', 'civicrm', 'Email\na@example.org', { timeZone: 'Mars/Olympus' }, /Mars\/Olympus/],
  ['another encoding', 'civicrm', Buffer.from('Email\nz\xfcrich@example.org', 'latin1'), {}, /is not utf-8/],
  ['nothing', 'civicrm', '', {}, /is empty/],
] as const)('%s is told before anything is done', async (_what, format, content, map, message) => {
  await expect(read(format, content, { map })).rejects.toThrow(message);
});

test('a file without a header line is refused without a word of what stands in it', async () => {
  for (const [format, map] of [
    ['mailchimp', {}],
    ['hubspot', { columns: [{ ...noToNews, column: 'Opt out' }] }],
  ] as const) {
    const refused = await read(format, 'eva.muster@example.org,Eva,+41791234567\na@example.org,A,', { map }).then(
      () => '',
      (error: Error) => error.message,
    );
    expect(refused).toMatch(/^this is no .*; it has 3 column\(s\), none of which this format knows/);
    expect(refused).not.toMatch(/eva|muster|4179/i);
  }
});

test('own columns that are read make up for none of the format, and it is said that none is', async () => {
  const path = join(folder, 'own.csv');
  writeFileSync(path, 'Contact ID,Email,Do Not Email,Opt out\n1,a@example.org,1,1');
  const map = mappingSchema.parse({ columns: [{ ...noToNews, column: 'Opt out' }] });
  const source = await openSource(path, 'hubspot', map, 'crm', catalogue);
  expect(source.warnings).toEqual([expect.stringMatching(/^none of the columns in which a HubSpot contact export/)]);
  // A column of the format that was not exported is no mistake.
  expect((await openSource(path, 'civicrm', map, 'crm', catalogue)).warnings).toHaveLength(1);
});

test('a quotation mark that is never closed ends the reading with the line at which it began', async () => {
  const csv = 'Contact ID,Email,Do Not Email\n1,a@example.org,\n2,"b@example.org,\n3,c@example.org,\n';
  await expect(read('civicrm', csv)).rejects.toThrow(/line 3: a quotation mark is never closed/);
});

test('an encoding that the mapping names is read', async () => {
  const content = Buffer.from('Contact ID,Email,Do Not Trade\n1,zürich@example.org,1', 'latin1');
  expect(brief(await read('civicrm', content, { map: { encoding: 'windows-1252' } }))).toEqual([
    'crm:1 email:zürich@example.org; refused third-party-sharing',
  ]);
});
