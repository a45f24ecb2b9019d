/** What a colleague may be (DESIGN): a caseworker decides; a DPO and an auditor read, advise and annotate (GDPR Art. 38(6)). */
export const staffRoles = ['caseworker', 'dpo', 'auditor'] as const;
export type StaffRole = (typeof staffRoles)[number];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The claim itself, whose name may hold dots (`https://example.org/roles`), else what a dotted path leads to (`realm_access.roles`). */
const claimAt = (claims: Readonly<Record<string, unknown>>, path: string): unknown =>
  Object.hasOwn(claims, path)
    ? claims[path]
    : path
        .split('.')
        .reduce<unknown>(
          (inner, name) => (isObject(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined),
          claims,
        );

/**
 * The roles that a provider's claims give; undefined when the claim is not there at all, so that it can be looked for elsewhere.
 * Reads a list or a single value, each bare or as `askfirst-<role>`; what is none of our roles gives nothing.
 */
export const rolesIn = (claims: Readonly<Record<string, unknown>>, path: string): StaffRole[] | undefined => {
  const claim = claimAt(claims, path);
  if (claim === undefined) return undefined;
  const names = new Set([claim].flat());
  return staffRoles.filter((role) => names.has(role) || names.has(`askfirst-${role}`));
};
