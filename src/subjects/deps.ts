import type { Clock } from '../kernel/clock.ts';
import type { KeyStore } from '../kernel/crypto/key-store.ts';
import type { Database } from '../kernel/database/client.ts';
import type { Ids } from '../kernel/ids.ts';
import { NamespaceNotEntitled } from './errors.ts';
import { blindIndex, parseIdentifier, type Identifier, type Namespaces } from './identifier.ts';
import type { SubjectReader } from './read-subjects.ts';
import type { Caller, SubjectWriter } from './change-subject.ts';

/** What the verbs of this room work with. */
export type SubjectDeps = {
  database: Database;
  keys: KeyStore;
  /** Secrets of the blind index and of challenge codes, read once at start. */
  secrets: { blindIndex: { version: number; key: Buffer }; codes: { key: Buffer } };
  reader: SubjectReader;
  writer: SubjectWriter;
  clock: Clock;
  ids: Ids;
  /**
   * Lets a person keep every no that was said under a handle before anybody knew whose it was. Consent's; called before the handle moves and
   * once more after it.
   */
  inheritNoes(caller: Caller, from: string, to: string): Promise<void>;
};

/** An identifier that a caller may use, ready to be looked up. */
export type Reference = Identifier & { blindIndex: string };

/**
 * Reads an identifier of a call and refuses one outside the caller's namespaces: before any look-up, so that the answer says nothing
 * about whether the person is known. Throws IdentifierMalformed, NamespaceNotEntitled.
 */
export const refer = (
  deps: Pick<SubjectDeps, 'secrets'>,
  entitlements: Namespaces,
  system: string,
  text: string,
  member: string,
): Reference => {
  const identifier = parseIdentifier(text, entitlements, member);
  if (!entitlements.systems.get(system)?.identifiers.includes(identifier.namespace))
    throw new NamespaceNotEntitled(identifier.namespace, member);
  return { ...identifier, blindIndex: blindIndex(deps.secrets.blindIndex.key, identifier) };
};
