import { linkingPurposes } from '../../imports/index.ts';
import type { Catalogue } from '../../policies/index.ts';
import type { crms } from './questions.ts';

/** What a CRM needs to ask, to record, to link and to hear of what it must undo. */
export const crmScopes = [
  'decisions:evaluate',
  'subjects:write',
  'subjects:read',
  'consents:write',
  'consents:read',
  'links:write',
  'links:read',
  'obligations:read',
  'endpoints:write',
] as const;

const places: Record<(typeof crms)[number], string[]> = {
  civicrm: [
    'In CiviCRM they belong into civicrm.settings.php, outside of the database and its backups:',
    "  define('ASKFIRST_CLIENT_ID', '…'); define('ASKFIRST_CLIENT_SECRET', '…');",
    'Your extension or CiviRules action asks before it links; a contact is crm:<Contact ID>.',
  ],
  suitecrm: [
    'In SuiteCRM they belong into config_override.php, outside of the database and its backups:',
    "  $sugar_config['askfirst_client_id'] = '…'; $sugar_config['askfirst_client_secret'] = '…';",
    'A logic hook asks before it saves a link; a contact is crm:<its id>.',
  ],
  other: ['They belong where that system keeps its secrets; a customer is crm:<customer number>.'],
};

/** The system that asks first: the pack's `crm`, or of another pack the first that may link. */
export const firstSystem = (catalogue: Catalogue): string =>
  catalogue.systems.has('crm')
    ? 'crm'
    : ([...catalogue.systems.keys()].find((id) => linkingPurposes(catalogue, id).length > 0) ??
      [...catalogue.systems.keys()][0]!);

/** What to paste where, and what to do next. `credentials`: where they are to be had, a line each. */
export const instructions = (
  catalogue: Catalogue,
  about: { system: string; crm: (typeof crms)[number]; url: string; credentials: string[] },
): string[] => {
  const { system, url } = about;
  const [platform] = catalogue.platforms.values();
  const question = {
    subject: { type: 'system', id: system },
    action: { name: 'link' },
    resource: { type: 'social_identity', id: `${platform!.id}:${platform!.accountId.example}` },
    context: {
      purpose: linkingPurposes(catalogue, system)[0] ?? [...catalogue.purposes.keys()][0],
      customer: `${system}:4711`,
    },
  };
  const webhook = catalogue.systems.get(system)!.kind === 'webhook';
  return [
    `Give these to the system "${system}":`,
    '',
    ...about.credentials,
    '',
    ...places[about.crm],
    '',
    `  token URL  ${url}/oauth/token   (OAuth 2.0 client credentials)`,
    `  check URL  ${url}/access/v1/evaluation   (OpenID AuthZEN)`,
    `  reference  ${url}/docs`,
    '',
    'Try it in a shell, with the two lines above and while Askfirst runs; nobody has been asked yet, so it answers "decision":false:',
    '',
    `token=$(curl -s ${url}/oauth/token -u "$ASKFIRST_CLIENT_ID:$ASKFIRST_CLIENT_SECRET" -d grant_type=client_credentials | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `curl -s ${url}/access/v1/evaluation -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '${JSON.stringify(question)}'`,
    '',
    ...(webhook
      ? [
          'Next, say where the system takes what it must do (unlink, stop); the answer holds the secret that signs it (Standard Webhooks):',
          '',
          `curl -s -X PUT ${url}/v1/endpoint -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{"url":"https://your-crm.example/askfirst"}'`,
        ]
      : [
          'Next, let it fetch what it must do (unlink, stop) every minute:',
          '',
          `curl -s ${url}/v1/obligations -H "Authorization: Bearer $token"`,
        ]),
    '',
    'Then: askfirst audit <export of the links you hold>, askfirst import, and askfirst doctor.',
  ];
};
