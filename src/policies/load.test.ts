import { describe, expect, test } from 'vitest';
import { smallPolicies, withPolicies } from '../../test/support/small-policies.ts';
import { readCatalogue } from './catalogue.ts';
import { PolicyError } from './errors.ts';
import type { Problem } from './errors.ts';
import { loadCatalogue } from './load.ts';

const load = (files: Readonly<Record<string, string>>) => withPolicies(files, loadCatalogue);

async function problemsOf(files: Readonly<Record<string, string>>): Promise<readonly Problem[]> {
  const error = await load(files).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, 'expected the folder not to load').toBeInstanceOf(PolicyError);
  return (error as PolicyError).problems;
}

function edited(file: string, from: string | RegExp, to: string): Record<string, string> {
  const before = smallPolicies[file]!;
  const after = before.replace(from, to);
  expect(after, `"${String(from)}" is not in ${file}`).not.toBe(before);
  return { ...smallPolicies, [file]: after };
}

const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;

const linking = 'purposes/profile-linking.yaml';
const newsletter = 'purposes/newsletter.yaml';
const rules = 'linkage/rules.yaml';
const cases = 'cases/cases.yaml';

/** What is wrong; file; what is written; instead; what stands on the line; the member; what would be right. */
// prettier-ignore
const mistakes: [string, string, string | RegExp, string, string, string, string][] = [
  ['an unknown member', linking, 'validity:', 'vlidity:', 'vlidity', 'vlidity', 'did you mean "validity"?'],
  ['a missing member', linking, 'renewOnNewNotice: true\n', '', 'id:', 'renewOnNewNotice', 'missing; expected true or false'],
  ['a missing language', linking, ', en: Linking.', '', 'summary', 'notices[0].summary.en', 'missing; expected text'],
  ['an empty text', linking, 'en: Linking.', "en: ' '", 'summary', 'notices[0].summary.en', 'empty; expected text'],
  ['a wrong type', linking, 'renewOnNewNotice: true', 'renewOnNewNotice: often', 'renew', 'renewOnNewNotice', 'expected true or false, not "often"'],
  ['an unknown legal basis', linking, 'legalBasis: consent', 'legalBasis: consnt', 'legalBasis', 'legalBasis', 'did you mean "consent"?'],
  ['an unknown action', linking, 'actions: [link]', 'actions: [lnik]', 'actions', 'actions[0]', 'did you mean "link"?'],
  ['an unknown dimension', linking, '[platform]', '[platfrom]', 'dimensions', 'dimensions[0]', 'did you mean "platform"?'],
  ['a doubled entry', linking, 'actions: [link]', 'actions: [link, link]', 'actions', 'actions', 'each entry once'],
  ['an id that is no slug', linking, 'id: profile-linking', 'id: Profile Linking', 'id:', 'id', 'small letters'],
  ['a file named otherwise', linking, 'id: profile-linking', 'id: profile-link', 'id:', 'id', 'named profile-link.yaml'],
  ['a duration that is none', linking, 'P2Y', 'two years', 'validity', 'validity', 'ISO 8601 duration'],
  ['a duration of nothing', linking, 'P2Y', 'PT0S', 'validity', 'validity', 'above zero'],
  ['a date that is none', linking, '2026-01-01', '2026-02-30', 'since', 'notices[0].since', 'expected a date'],
  ['a number as a text', linking, 'version: 1', "version: '1'", 'version', 'notices[0].version', 'expected a number'],
  ['notices out of order', newsletter, 'version: 2', 'version: 1', '- version: 1\n    since: 2026-02', 'notices[1].version', 'a version above 1'],
  ['a notice before the one before', newsletter, '2026-02-01', '2025-02-01', '2025-02-01', 'notices[1].since', 'not before 2026-01-01'],
  ['a correction of itself', newsletter, 'version: 2', 'version: 2\n    corrects: [1, 2]', 'corrects', 'notices[1].corrects[1]', 'a version of an earlier notice: 1'],
  ['a first notice that corrects', linking, 'version: 1', 'version: 1\n    corrects: [7]', 'corrects', 'notices[0].corrects[0]', 'a version of an earlier notice: none is'],
  ['a yes to confirm where none is needed', newsletter, 'highRisk: true', 'doubleOptIn: true\nhighRisk: true', 'doubleOptIn', 'doubleOptIn', 'no yes to confirm'],
  ['asking again at once', linking, 'validity: P2Y', 'askAgainAfter: PT0S', 'askAgainAfter', 'askAgainAfter', 'above zero'],
  ['a retirement on no day', linking, 'validity: P2Y', 'retired: soon', 'retired', 'retired', 'expected a date'],
  ['no balancing test', newsletter, /balancingTest.*\n/, '', 'id:', 'balancingTest', 'GDPR Art. 6(1)(f)'],
  ['no assessment', newsletter, /assessment:[^]*/, '', 'id:', 'assessment', 'GDPR Art. 35'],
  ['a review before the notice', newsletter, '2027-01-01', '2026-01-31', 'reviewBy', 'assessment.reviewBy', 'after the newest notice'],
  ['special categories without consent', newsletter, 'highRisk: true', 'specialCategories: true\nhighRisk: true', 'legalBasis', 'legalBasis', 'GDPR Art. 9(2)(a)'],
  ['a dimension without values', newsletter, '  channel: [email, letter]\n', '', 'values', 'values.channel', 'values that dimension "channel" can take'],
  ['values without a dimension', newsletter, '[channel, recipient]', '[recipient]', 'channel: [', 'values.channel', '"channel" among the dimensions'],
  ['a recipient twice', newsletter, 'recipient: [', 'recipient: [{ id: hotels, name: { de: a, fr: a, it: a, en: a } }, ', 'recipient: [', 'values.recipient', 'each recipient once'],
  ['declared social scoring', linking, 'validity:', 'socialScoring: true\nvalidity:', 'socialScoring', 'socialScoring', 'AI Act Art. 5(1)(c)'],
  ['social scoring by its title', linking, 'de: Linking,', 'de: Sozialkredit,', 'title', 'title.de', 'AI Act Art. 5(1)(c)'],
  ['social scoring by what it makes', linking, '[account-id]', '[social-score]', 'dataCategories', 'dataCategories[0]', 'AI Act Art. 5(1)(c)'],
  ['an unknown data category', linking, '[account-id]', '[acount-id]', 'dataCategories', 'dataCategories[0]', 'did you mean "account-id"?'],
  ['an unknown recipient', newsletter, 'recipients: [hotels]', 'recipients: [hotel]', 'recipients: [', 'recipients[0]', 'did you mean "hotels"?'],
  ['an unknown compatible purpose', newsletter, '[profile-linking]', '[profile-link]', 'compatible', 'compatiblePurposes[0]', 'did you mean "profile-linking"?'],
  ['an address that is none', 'controller.yaml', 'club@example.org', 'club', 'contact', 'contact.email', 'an e-mail address'],
  ['an unknown jurisdiction', 'controller.yaml', 'jurisdiction: eu', 'jurisdiction: ue', 'jurisdiction', 'jurisdiction', 'did you mean "eu"?'],
  ['a lease of no time', 'controller.yaml', 'leaseSeconds: 5', 'leaseSeconds: 0', 'lease', 'leaseSeconds', 'at least 1'],
  ['an authority without https', 'jurisdictions/eu.yaml', 'https:', 'http:', 'authority', 'authority.url', 'https'],
  ['a pattern without ends', 'platforms.yaml', '^[0-9]+$', '[0-9]+', '[0-9]+', 'platforms[1].accountId.pattern', 'anchored at both ends'],
  ['a pattern that is none', 'platforms.yaml', '^[0-9]+$', '^[0-9$', '^[0-9$', 'platforms[1].accountId.pattern', 'regular expression'],
  ['an example that does not fit', 'platforms.yaml', "'1029384756'", "'@eva'", '@eva', 'platforms[0].accountId.example', 'accepts'],
  ['two platforms of one id', 'platforms.yaml', 'id: forum', 'id: facebook', 'id: facebook\n    name: Forum', 'platforms[1].id', '"facebook" is taken'],
  ['a platform with the id of a system', 'platforms.yaml', 'id: forum', 'id: crm', 'id: crm', 'platforms[1].id', 'the namespace of something else'],
  ['tasks for nobody', 'systems.yaml', 'kind: webhook', 'kind: manual', 'id: crm', 'systems[0].mail', 'because the kind is manual'],
  ['mail for who is called', 'systems.yaml', 'kind: webhook', 'kind: webhook\n    mail: crm@example.org', 'mail:', 'systems[0].mail', 'no address: a system of kind webhook'],
  ['tasks for no address', 'systems.yaml', 'kind: webhook', 'kind: manual\n    mail: crm', 'mail:', 'systems[0].mail', 'an e-mail address'],
  ['a grant for an unknown purpose', 'systems.yaml', '[newsletter]', '[newsleter]', 'newsleter', 'systems[0].may[1].purposes[0]', 'did you mean "newsletter"?'],
  ['a grant for an action of no purpose', 'systems.yaml', '[contact]', '[contact, share]', 'share', 'systems[0].may[1].actions[1]', 'allowed: contact'],
  ['a grant for a purpose of no action', 'systems.yaml', '[newsletter]', '[newsletter, profile-linking]', 'newsletter,', 'systems[0].may[1].purposes[1]', '"profile-linking" is for link'],
  ['data held for no purpose', 'systems.yaml', 'email-address]', 'email-address, shoe-size]', 'shoe-size', 'systems[0].holds[2]', 'no purpose with the data category "shoe-size"'],
  ['an unknown namespace', 'systems.yaml', '[crm, email, facebook]', '[crm, email, facebok]', 'facebok', 'systems[0].identifiers[2]', 'did you mean "facebook"?'],
  ['a fact that does not exist', rules, 'when: { customer.consent:', 'when: { customer.consnt:', 'consnt', 'rules[0].when["customer.consnt"]', 'did you mean "customer.consent"'],
  ['the action as a fact', rules, 'request.automated: true', 'action: contact', 'action: contact', 'rules[2].when.action', 'unknown fact'],
  ['a value that does not exist', rules, 'valid-yes', 'valid-yess', 'yess', 'rules[0].when["customer.consent"]', 'did you mean "valid-yes"?'],
  ['a value of a list that does not exist', rules, 'customer.consent: valid-yes', 'customer.consent: [informed, ye]', 'ye]', 'rules[0].when["customer.consent"][1]', 'unknown value "ye"'],
  ['a word where true or false belongs', rules, 'automated: true', 'automated: maybe', 'maybe', 'rules[2].when["request.automated"]', 'expected true or false'],
  ['a word where a number belongs', rules, 'request.automated: true', 'request.cellSize: many', 'many', 'rules[2].when["request.cellSize"]', 'expected a number'],
  ['a purpose that does not exist', rules, 'request.automated: true', 'purpose.id: newslettr', 'newslettr', 'rules[2].when["purpose.id"]', 'did you mean "newsletter"?'],
  ['a channel that does not exist', rules, 'request.automated: true', 'request.channel: emial', 'emial', 'rules[2].when["request.channel"]', 'did you mean "email"?'],
  ['an operator that does not exist', rules, 'request.automated: true', 'request.cellSize: { lesThan: 5 }', 'lesThan', 'rules[2].when["request.cellSize"].lesThan', 'did you mean "lessThan"?'],
  ['an operator that does not fit', rules, 'automated: true', 'automated: { lessThan: 5 }', 'lessThan', 'rules[2].when["request.automated"].lessThan', 'unknown operator "lessThan"'],
  ['an operand that is no number', rules, 'request.automated: true', 'request.cellSize: { atLeast: request.channel }', 'atLeast', 'rules[2].when["request.cellSize"].atLeast', 'controller.minimumCellSize'],
  ['presence of another kind', rules, 'automated: true', 'automated: { present: often }', 'often', 'rules[2].when["request.automated"].present', 'expected true or false'],
  ['a list without an operator', rules, '{ some: { consent: live-no } }', 'live-no', 'chain', 'rules[1].when.any[1].chain', 'expected {some: …}'],
  ['a hop with the paths of the whole', rules, 'some: { consent:', 'some: { customer.consent:', 'some', 'rules[1].when.any[1].chain.some["customer.consent"]', 'unknown fact "chain.customer.consent"'],
  ['a list of no values', rules, 'customer.consent: valid-yes', 'customer.consent: []', 'consent: []', 'rules[0].when["customer.consent"]', 'at least one value'],
  ['no condition', rules, 'when: { request.automated: true }', 'when: {}', 'when: {}', 'rules[2].when', 'at least one condition'],
  ['no operator', rules, 'automated: true', 'automated: {}', 'automated: {}', 'rules[2].when["request.automated"]', 'expected an operator'],
  ['a condition that is none', rules, /any:\n.*\n.*live-no } } }/, 'not: live-no', 'not:', 'rules[1].when.not', 'expected conditions'],
  ['an "any" that is no list', rules, /any:\n.*\n.*live-no } } }/, 'any: { customer.consent: live-no }', 'any:', 'rules[1].when.any', 'a list of conditions'],
  ['an unknown placeholder', rules, '{purpose}', '{purpos}', 'purpos}', 'rules[0].because.admin.de', 'did you mean "purpose"?'],
  ['a duty without a duty', rules, 'obligations: [disclose-bot]', 'obligations: []', 'obligations: []', 'rules[2].obligations', 'because the effect is "oblige"'],
  ['an unknown obligation', rules, '[disclose-bot]', '[disclose-bots]', 'disclose-bots', 'rules[2].obligations[0]', 'did you mean "disclose-bot"?'],
  ['actions that are no list', rules, 'actions: all', 'actions: every', 'every', 'rules[0].actions', 'expected "all" or a list'],
  ['two rules of one id', rules, 'id: bots', 'id: no', 'id: no\n    effect: oblige', 'rules[2].id', '"no" is taken'],
  ['a rule that no case fires', cases, /  - name: a program[^]*/, '', 'bots', 'rules[2].id', 'no case fires "bots"'],
  ['a case that comes out otherwise', cases, 'expect: deny', 'expect: permit', 'expect: permit\n    fires: [yes, no]', 'cases[1].expect', 'comes out as deny'],
  ['a case that fires otherwise', cases, 'fires: [yes, no]', 'fires: [no]', 'fires: [no]', 'cases[1].fires', 'fires [no, yes]'],
  ['a case that obliges otherwise', cases, 'obligations: [disclose-bot]', 'obligations: []', 'obligations', 'cases[2].obligations', 'obliges [disclose-bot]'],
  ['a case with an unknown rule', cases, 'fires: [yes, no]', 'fires: [yes, noo]', 'noo', 'cases[1].fires[1]', 'did you mean "no"?'],
  ['a case with an unknown fact', cases, 'automated: true', 'automatd: true', 'automatd', 'cases[2].facts.request.automatd', 'did you mean "automated"?'],
  ['a case with an unknown value', cases, 'consent: live-no', 'consent: no-no', 'no-no', 'cases[1].facts.chain[0].consent', 'unknown value "no-no"'],
  ['a case with an unknown purpose', cases, 'id: newsletter', 'id: news', 'news', 'cases[2].facts.purpose.id', 'no purpose "news"'],
  ['a case on an unknown platform', cases, 'facts: {}', 'facts: { identity: { platform: orkut } }', 'orkut', 'cases[0].facts.identity.platform', 'no platform "orkut"'],
  ['two cases of one name', cases, 'name: a no on the way', 'name: a yes', 'name: a yes\n    facts: { chain', 'cases[1].name', '"a yes" is taken'],
  ['broken YAML', rules, 'effect: permit', 'effect: [permit', 'effect: [permit', '(YAML)', 'must'],
  ['a key twice', linking, 'validity:', 'id: again\nvalidity:', 'id: again', '(YAML)', 'unique'],
  ['an unknown tag', linking, 'P2Y', '!duration P2Y', '!duration', '(YAML)', '!duration'],
];

describe('a folder with a mistake does not load and is told file, line, member and what would be right', () => {
  test.each(mistakes)('%s', async (_name, file, from, to, onLine, member, right) => {
    const files = edited(file, from, to);
    const problems = await problemsOf(files);
    const place = member === 'rules[2].id' && file === cases ? rules : file;
    const line = lineOf(files[place]!, onLine);
    const found = problems.filter((problem) => problem.file === place && problem.member === member);
    expect(found, JSON.stringify(problems)).not.toEqual([]);
    expect(found.map((problem) => problem.message).join('\n')).toContain(right);
    if (member !== '(YAML)') expect(found.map((problem) => problem.line)).toContain(line);
  });

  test('a broken YAML file names the line on which it breaks', async () => {
    const [problem] = await problemsOf(edited(linking, 'validity:', 'id: again\nvalidity:'));
    expect(problem).toMatchObject({ file: linking, line: 11, member: '(YAML)' });
  });

  test('a file that would go unread', async () => {
    const problems = await problemsOf({ ...smallPolicies, 'purpose/x.yaml': '', 'purposes/y.yml': '' });
    expect(problems.map(({ file }) => file)).toEqual(['purpose', 'purposes/y.yml']);
    expect(problems[1]!.message).toContain('.yaml');
  });

  test('a file that is missing', async () => {
    const { 'controller.yaml': _controller, 'cases/cases.yaml': _cases, ...files } = smallPolicies;
    expect((await problemsOf(files)).map(({ file }) => file)).toEqual(['cases/', 'controller.yaml']);
  });

  test('all mistakes at once, sorted by file and line', async () => {
    const problems = await problemsOf({
      ...smallPolicies,
      ...Object.fromEntries([
        [rules, smallPolicies[rules]!.replace('valid-yes', 'yess').replace('automated: true', 'automated: maybe')],
        [
          linking,
          smallPolicies[linking]!.replace('validity', 'vlidity').replace('legalBasis: consent', 'legalBasis: no'),
        ],
      ]),
    });
    expect(problems.map(({ file, line }) => `${file}:${line}`)).toEqual([
      `${rules}:5`,
      `${rules}:24`,
      `${linking}:3`,
      `${linking}:11`,
    ]);
  });
});

describe('the digest', () => {
  test('is the same whatever the order of members, the comments and the division into files', async () => {
    const [head, ...rest] = smallPolicies[rules]!.split(/(?=  - id: )/);
    const moved = {
      ...smallPolicies,
      'controller.yaml': '# who we are\n' + smallPolicies['controller.yaml']!.split('\n').reverse().join('\n'),
      [rules]: head! + rest[2]!,
      'linkage/more.yaml': `# the rest\n${head!}${rest[1]!}${rest[0]!}`,
    };
    expect((await load(moved)).digest).toBe((await load(smallPolicies)).digest);
  });

  test.each([
    ['a word of a notice', linking, 'en: We link.', 'en: We join.'],
    ['a rule', rules, 'customer.consent: valid-yes', 'customer.consent: [valid-yes, informed]'],
    ['a case', cases, 'name: a yes', 'name: some yes'],
  ])('changes with %s', async (_name, file, from, to) => {
    expect((await load(edited(file, from, to))).digest).not.toBe((await load(smallPolicies)).digest);
  });

  test('is the SHA-256 of the canonical form, which restores the same set', async () => {
    const catalogue = await load(smallPolicies);
    const restored = readCatalogue(catalogue.json);
    expect(catalogue.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(restored.digest).toBe(catalogue.digest);
    expect(restored.json).toBe(catalogue.json);
    for (const { facts, verdict } of catalogue.cases) expect(restored.decide(facts)).toEqual(verdict);
  });
});

describe('a stored set is refused', () => {
  test.each([
    ['that is no JSON', () => 'nonsense', 'expected JSON'],
    ['that is not in canonical form', (json: string) => ` ${json}`, 'canonical form'],
    [
      'with a member this version does not know',
      (json: string) => json.replace('{"cases"', '{"cake":1,"cases"'),
      'unknown member "cake"',
    ],
    [
      'with a fact this version does not know',
      (json: string) => json.replace('{"customer.consent":"valid-yes"}', '{"customer.mood":"good"}'),
      'unknown fact "customer.mood"',
    ],
    [
      'whose cases come out otherwise',
      (json: string) => json.replace('"expect":"deny"', '"expect":"permit"'),
      'comes out as deny',
    ],
  ])('%s', async (_name, spoil, message) => {
    const { json } = await load(smallPolicies);
    const spoilt = spoil(json);
    expect(spoilt).not.toBe(json);
    expect(() => readCatalogue(spoilt)).toThrow(message);
  });
});

test('a loaded set does not change', async () => {
  const catalogue = await load(smallPolicies);
  const purpose = catalogue.purposes.get('newsletter')!;
  expect(() => Object.assign(purpose.notices[0]!.text, { en: 'other words' })).toThrow(TypeError);
  expect(() => (catalogue.purposes as Map<string, unknown>).set('new', {})).toThrow(TypeError);
  expect(() => (catalogue.rules as unknown[]).pop()).toThrow(TypeError);
  expect(() => Object.assign(catalogue, { decide: () => ({ permit: true }) })).toThrow(TypeError);
});
