import type { ReceiptFault, ReceiptProof } from './receipt-signature.ts';

const faults: Record<ReceiptFault, string> = {
  malformed: 'This is no signed receipt: three parts in base64url, joined by dots, were expected (JWS, RFC 7515).',
  'wrong-type': 'This was signed, if at all, as something else than a consent receipt.',
  'wrong-algorithm': 'This is not signed with ES256, the only algorithm that receipts are signed with.',
  'keys-unusable': 'The key set is damaged, or names two keys alike: expected the JSON of /.well-known/jwks.json.',
  'unknown-key': 'None of the keys in the key set is the one that this receipt names.',
  'bad-signature':
    'The signature does not fit: the receipt was changed after it was signed, or signed with another key.',
  'not-a-receipt': 'The signature is genuine, but what was signed is no consent receipt that this version can read.',
};

const acts = {
  give: 'said yes to',
  confirm: 'confirmed the yes to',
  refuse: 'said no to',
  withdraw: 'withdrew consent to',
  object: 'objected to',
  inform: 'was informed of',
} as const;

/** What comes out of a file is shown on a terminal: nothing in it may move the cursor or turn the writing round. */
const printable = (text: string): string => text.replace(/\p{C}/gu, '\u{FFFD}');

/**
 * In words, what a receipt proves or why it proves nothing; lines for a terminal. What a receipt says is told only when its
 * signature is genuine.
 */
export const verifyReceiptText = (proof: ReceiptProof): string => {
  if (!proof.genuine) return `NOT PROVED\n${faults[proof.fault]}`;
  const { iss, 'dpv:hasRecordOfActivity': record } = proof.receipt;
  const [controller, authority] = record['dpv:hasEntity'];
  const {
    'dpv:hasPurpose': purpose,
    'dpv:hasScope': scope,
    'dpv:hasConsentControl': control,
  } = record['dpv:hasProcess'];
  const status = record['dpv:hasConsentStatus'] ?? record['dpv:hasStatus']!;
  const notice = record['dpv:hasNotice'];
  const isPending = status['@type'].includes('dpv:ConsentRequested');
  const isToEverything = record['askfirst:purpose'] === '*';
  const title = purpose['dct:title'];
  const narrowed = Object.entries(scope)
    .filter(([member]) => member.startsWith('askfirst:'))
    .map(([member, value]) => `${member.slice('askfirst:'.length)} ${value}`);

  const lines: [string, string][] = [
    ['Controller', `${controller['dpv:hasName']}, ${controller['dpv:hasAddress']}`],
    ['Person', `${record['dpv:hasDataSubject']['dct:identifier']} (only the controller can tell who this is)`],
    [
      'Act',
      isToEverything
        ? `${acts[record['askfirst:action']]} everything`
        : `${acts[record['askfirst:action']]} ${title === undefined ? '' : `"${title}" `}(${record['askfirst:purpose']})`,
    ],
    ...(isPending ? [['But', 'it was not confirmed yet: by itself it permits nothing'] as [string, string]] : []),
    ['For', narrowed.length === 0 ? 'all of it' : narrowed.join(', ')],
    ['When', `${status['dpv:isIndicatedAtTime']}, recorded ${record['dct:created']}`],
    ['How', `${status['dpv:hasIndicationMethod']}, told by system ${record['askfirst:system']}`],
    ...(notice
      ? [
          [
            'Words shown',
            `version ${notice['dct:hasVersion']} in "${notice['dct:language']}", SHA-256 ${notice['askfirst:sha256']}`,
          ] as [string, string],
        ]
      : []),
    ['Valid until', status['dpv:hasDuration']['rdf:value'] ?? 'no end was set'],
    ['To withdraw', control['dpv:isExercisedAt']],
    ['Authority', `${authority['dpv:hasName']}, ${authority['@id']}`],
    ['Receipt', proof.receipt['dct:identifier']],
  ];
  return [
    'PROVED',
    `The holder of key ${printable(proof.kid)} (${printable(iss)}) signed the following, and not a character was changed since:`,
    ...lines.map(([name, value]) => `  ${name.padEnd(12)} ${printable(value)}`),
    'It does not prove that this is still the last word: a later answer has a receipt of its own.',
  ].join('\n');
};
