/** What is known of platforms by the policy set. */
export type PlatformNames = ReadonlyMap<string, { name: string; accountId: { pattern: string } }>;

/** Hosts whose pages are profiles. What stands behind them is mostly a handle, which never permits a link by itself. */
const hosts: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)(facebook|fb)\.com$/, 'facebook'],
  [/(^|\.)instagram\.com$/, 'instagram'],
  [/(^|\.)linkedin\.com$/, 'linkedin'],
  [/(^|\.)youtube\.com$/, 'youtube'],
  [/(^|\.)(x|twitter)\.com$/, 'x'],
  [/(^|\.)tiktok\.com$/, 'tiktok'],
  [/(^|\.)tripadvisor\.[a-z.]{2,6}$/, 'tripadvisor'],
  [/(^|\.)holidaycheck\.[a-z]{2,3}$/, 'holidaycheck'],
];

/** The platform that people mean by a word: its id or its name; Twitter is X since 2023. */
const platformOf = (word: string, platforms: PlatformNames): string | undefined => {
  const wanted = word.trim().toLowerCase();
  if (wanted === 'twitter' && platforms.has('x')) return 'x';
  for (const [id, { name }] of platforms) if (wanted === id || wanted === name.toLowerCase()) return id;
  return undefined;
};

/** The platform that a column is named after, in small letters: `facebook_user_c`, `twitter account`, `website-linkedin`. */
export const platformOfColumn = (column: string, platforms: PlatformNames): string | undefined => {
  const words = column
    .split(/[^a-z]+/)
    .filter((word) => !['', 'user', 'account', 'c', 'id', 'url', 'profile', 'website', 'handle'].includes(word));
  return words.length === 1 ? platformOf(words[0]!, platforms) : undefined;
};

/**
 * The account that a value of a CRM's field means, as `platform:id` or `platform:@handle`; undefined when it is none, such as a home page.
 * `stated` is the platform as the file says it; '' when it does not.
 */
export const accountIn = (value: string, stated: string, platforms: PlatformNames): string | undefined => {
  const [, namespace] = /^([a-z][a-z0-9-]*):(?!\/\/)/.exec(value) ?? [];
  if (namespace !== undefined && platforms.has(namespace)) return value;
  const url = URL.parse(
    /^https?:\/\//i.test(value) ? value : /^[\w.-]+\.[a-z]{2,}\//i.test(value) ? `https://${value}` : '',
  );
  const platform = hosts.find(([host]) => url && host.test(url.hostname))?.[1] ?? platformOf(stated, platforms);
  const known = platform === undefined ? undefined : platforms.get(platform);
  if (platform === undefined || !known) return undefined;
  const isId = (text: string) => new RegExp(known.accountId.pattern, 'u').test(text);
  if (isId(value)) return `${platform}:${value}`;
  const name = url ? nameInPage(url) : value;
  if (!name) return undefined;
  return isId(name) ? `${platform}:${name}` : `${platform}:@${name.replace(/^@/, '')}`;
};

/** `/eva`, `/@eva`, `/in/eva`, `/channel/UC…`, `/profile.php?id=1029384756`. */
const nameInPage = (url: URL): string | undefined => {
  const id = url.searchParams.get('id');
  if (url.pathname === '/profile.php' && id) return id;
  const steps = url.pathname.split('/').filter((step) => step !== '');
  const first = ['in', 'channel', 'user', 'users', 'c', 'people', 'members', 'profile'].includes(
    steps[0]?.toLowerCase() ?? '',
  )
    ? steps[1]
    : steps[0];
  return first === undefined ? undefined : decoded(first);
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
