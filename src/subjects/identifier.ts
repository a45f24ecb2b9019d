import { domainToASCII } from 'node:url';
import { createHmac } from 'node:crypto';
import { parsePhoneNumberFromString } from 'libphonenumber-js';
import { IdentifierMalformed } from './errors.ts';

/** A normalised identifier. Two spellings of the same mailbox, number or account are one. */
export type Identifier = {
  namespace: string;
  value: string;
  /** A name that its owner can change; it points to an account only as of the moment it was seen. */
  handle: boolean;
};

/** What the catalogue knows about namespaces: platforms with the form of their immutable account ids, and systems' own. */
export type Namespaces = {
  platforms: ReadonlyMap<string, { accountId: { pattern: string; example: string } }>;
  systems: ReadonlyMap<string, { identifiers: readonly string[] }>;
};

// Control, format, surrogate, private-use and unassigned characters name nobody; U+0000 would break jsonb.
const unprintable = /\p{C}/u;

// RFC 1035 section 2.3.4 and RFC 3696 section 2: labels of up to 63, and a last one that no address of a machine could have.
const domainName = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

const email = (value: string): string | undefined => {
  const at = value.lastIndexOf('@');
  const local = value.slice(0, at);
  const written = value.slice(at + 1);
  // `domainToASCII` reads a host as URLs have it: it would cut off a path and decode %61, and so find another domain.
  const domain = /[/?#%\\:@]/.test(written) ? '' : domainToASCII(written);
  if (at < 1 || local.length > 64 || /[\s"(),:;<>[\\\]@]/.test(local)) return;
  if (domain.length > 253 || !domainName.test(domain)) return;
  // RFC 5321 section 2.4 lets a host tell letters apart in the local part; none that matters does, and people do not.
  return `${local.normalize('NFC').toLowerCase()}@${domain}`;
};

const phone = (value: string): string | undefined => {
  // Only international numbers (E.164): a national one means another person in another country. No extension either: the
  // parser would drop it, and all colleagues behind a switchboard would be one person.
  if (!/^\+[\p{Nd}\s()./\u2010-\u2013-]+$/u.test(value)) return;
  const parsed = parsePhoneNumberFromString(value);
  if (!parsed?.isPossible()) return;
  // Zeros dropped at each reading (+43 0 0…) make a number that would not be found under itself.
  return parsePhoneNumberFromString(parsed.number)?.number === parsed.number ? parsed.number : undefined;
};

/**
 * Reads `namespace:value` and normalises the value by its kind: mailboxes (case, IDN), numbers (E.164), accounts of platforms
 * (immutable id by the catalogue's pattern; `@handle` as an alias), ids of systems (verbatim). `member` names it in errors.
 * Throws IdentifierMalformed, which never repeats the value.
 */
export const parseIdentifier = (text: string, namespaces: Namespaces, member: string): Identifier => {
  const colon = text.indexOf(':');
  const namespace = text.slice(0, colon);
  const value = text.slice(colon + 1).trim();
  if (colon < 1) throw new IdentifierMalformed(member, 'must read "namespace:value"');
  if (value === '' || value.length > 300 || unprintable.test(value))
    throw new IdentifierMalformed(member, 'must have a value of 1 to 300 printable characters after the colon');
  const is = (normal: string | undefined, rule: string): Identifier => {
    if (normal === undefined) throw new IdentifierMalformed(member, rule);
    return { namespace, value: normal, handle: false };
  };
  if (namespace === 'email') return is(email(value), 'must be a mailbox such as "email:eva@example.org"');
  if (namespace === 'phone') return is(phone(value), 'must be an international number such as "phone:+41791234567"');
  const platform = namespaces.platforms.get(namespace);
  if (platform) {
    if (value.startsWith('@')) {
      const handle = value.slice(1).normalize('NFKC').toLowerCase();
      if (handle === '' || /\s/.test(handle))
        throw new IdentifierMalformed(member, 'must have a handle without spaces after "@"');
      return { namespace, value: `@${handle}`, handle: true };
    }
    return is(
      new RegExp(platform.accountId.pattern, 'u').test(value) ? value : undefined,
      `must be the account id of ${namespace}, such as "${namespace}:${platform.accountId.example}", or "${namespace}:@handle"`,
    );
  }
  if (namespaces.systems.has(namespace)) return { namespace, value, handle: false };
  throw new IdentifierMalformed(member, 'must begin with "email", "phone", a platform or a system of the policy set');
};

export const formatIdentifier = (identifier: Identifier): string => `${identifier.namespace}:${identifier.value}`;

/**
 * The key under which an identifier is looked up: HMAC-SHA-256 as 64 hexadecimal digits. Equal identifiers have equal keys, and
 * without the service's secret nobody can test whether a known address is in the table.
 */
export const blindIndex = (secret: Buffer, identifier: Identifier): string =>
  createHmac('sha256', secret).update(formatIdentifier(identifier)).digest('hex');
