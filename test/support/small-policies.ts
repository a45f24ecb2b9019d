import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const words = (text: string) => `{ de: ${text}, fr: ${text}, it: ${text}, en: ${text} }`;

/** The smallest policy folder with something of everything in it, by path. */
export const smallPolicies: Readonly<Record<string, string>> = {
  'controller.yaml': `id: club
name: Club
contact: { email: club@example.org, address: Street 1 }
dpo: { name: Dee Peeo, email: dpo@example.org }
jurisdiction: eu
languages: [de, en]
leaseSeconds: 5
minimumCellSize: 10
`,
  'jurisdictions/eu.yaml': `id: eu
name: European Union
digitalConsentAgeYears: 16
authority: { name: EDPB, url: 'https://www.edpb.europa.eu' }
sources: [GDPR Art. 8(1)]
`,
  'platforms.yaml': `platforms:
  - id: facebook
    name: Facebook
    naming: real-name
    visibility: mixed
    accountId: { pattern: '^[0-9]{5,20}$', example: '1029384756' }
  - id: forum
    name: Forum
    naming: pseudonymous
    visibility: public
    accountId: { pattern: '^[0-9]+$', example: '12' }
`,
  'systems.yaml': `systems:
  - id: crm
    name: ${words('CRM')}
    kind: webhook
    holds: [account-id, email-address]
    identifiers: [crm, email, facebook]
    may:
      - actions: [link]
        purposes: [profile-linking]
      - actions: [contact]
        purposes: [newsletter]
`,
  'purposes/profile-linking.yaml': `id: profile-linking
title: ${words('Linking')}
legalBasis: consent
dimensions: [platform]
notices:
  - version: 1
    since: 2026-01-01
    text: ${words('We link.')}
    summary: ${words('Linking.')}
renewOnNewNotice: true
validity: P2Y
dataCategories: [account-id]
actions: [link]
`,
  'purposes/newsletter.yaml': `id: newsletter
title: ${words('News')}
legalBasis: legitimate-interests
balancingTest: ${words('Weighed.')}
dimensions: [channel, recipient]
values:
  channel: [email, letter]
  recipient: [{ id: hotels, name: ${words('Hotels')} }]
notices:
  - version: 1
    since: 2026-01-01
    text: ${words('We write.')}
    summary: ${words('Writing.')}
  - version: 2
    since: 2026-02-01
    text: ${words('We write more.')}
    summary: ${words('Writing more.')}
renewOnNewNotice: false
dataCategories: [email-address]
recipients: [hotels]
compatiblePurposes: [profile-linking]
actions: [contact]
highRisk: true
assessment:
  risks: ${words('Some.')}
  measures: ${words('Enough.')}
  dissent: ${words('None.')}
  reviewBy: 2027-01-01
`,
  'linkage/rules.yaml': `rules:
  - id: yes
    effect: permit
    actions: all
    when: { customer.consent: valid-yes }
    because:
      admin: ${words("'yes to {purpose}'")}
      person: ${words("'you said yes'")}
    sources: [GDPR Art. 6(1)(a)]
  - id: no
    effect: forbid
    actions: all
    when:
      any:
        - { customer.consent: live-no }
        - { chain: { some: { consent: live-no } } }
    because:
      admin: ${words("'no at {hops}'")}
      person: ${words("'you said no'")}
    sources: [GDPR Art. 7(3)]
  - id: bots
    effect: oblige
    actions: [contact]
    when: { request.automated: true }
    obligations: [disclose-bot]
    because:
      admin: ${words('say it')}
      person: ${words('said')}
    sources: [AI Act Art. 50(1)]
`,
  'cases/cases.yaml': `cases:
  - name: a yes
    facts: {}
    expect: permit
    fires: [yes]
  - name: a no on the way
    facts: { chain: [{ namespace: facebook, consent: live-no }] }
    expect: deny
    fires: [yes, no]
  - name: a program writes
    facts: { action: contact, purpose: { id: newsletter }, request: { automated: true } }
    expect: permit
    fires: [yes, bots]
    obligations: [disclose-bot]
`,
};

/** Writes a policy folder, hands it to `use` and removes it. */
export async function withPolicies<T>(
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'askfirst-policies-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
