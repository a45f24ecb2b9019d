/**
 * Writes exports of invented people to try an import with, in the shapes in which CiviCRM and SuiteCRM write them, into the folder that is
 * named: 5,000 contacts of each, who opted out in SuiteCRM, and the social accounts that it holds.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { civicrmExport, suitecrmExport, suitecrmIdOf, suitecrmOptOuts } from '../test/support/crm-exports.ts';

/** The two fields of SuiteCRM 7's contacts for accounts; people typed names, numbers and addresses of pages into them. */
const social = (): string => {
  const lines = Array.from({ length: 1_200 }, (_, index) => {
    const n = 5_000 + 4 * index;
    const page = [
      '',
      `person.${n}`,
      `https://www.facebook.com/profile.php?id=${100_000_000 + n}`,
      `${100_000_000 + n}`,
    ];
    return [suitecrmIdOf(n), page[index % 4], index % 4 === 0 || index % 9 === 0 ? `@person_${n}` : ''];
  });
  return [['ID', 'facebook_user_c', 'twitter_user_c'], ...lines]
    .map((cells) => cells.map((cell) => `"${cell}"`).join(','))
    .join('\r\n');
};

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder to write into');
mkdirSync(folder, { recursive: true });
for (const [name, text] of [
  ['civicrm.csv', civicrmExport()],
  ['suitecrm.csv', suitecrmExport()],
  ['suitecrm-opt-outs.csv', suitecrmOptOuts()],
  ['suitecrm-social.csv', social()],
] as const)
  writeFileSync(join(folder, name), text);
