/** Who asks and what they may do: roles, scopes, identities. */

/** From least to most: each may do what the ones before it may. */
export const ROLES = ['reader', 'member', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who makes a request. */
export interface Identity {
  /** The name of a user, or `token NAME`: what audit events say. */
  readonly user: string;
  readonly role: Role;
  /** The project that the role holds in; null is system scope, which sees everything. */
  readonly project: string | null;
  /** When what was shown to prove it ends, ms since the epoch; absent: never, or nobody knows. */
  readonly expiresAt?: number;
}

const isRole = (value: unknown): value is Role => ROLES.includes(value as Role);

/** True when `role` may do what needs `least`. */
export const hasRole = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);

/** What a user of the password file may do. */
export interface Grant {
  readonly role: Role;
  readonly project: string | null;
}

/** Reads `user:role` and `user:role:project` entries. Problems name the entry. */
export function parseGrants(entries: readonly string[]): { grants: Map<string, Grant>; problems: string[] } {
  const grants = new Map<string, Grant>();
  const problems: string[] = [];
  for (const entry of entries) {
    const [user = '', role = '', ...rest] = entry.split(':').map((part) => part.trim());
    const project = rest.length === 0 ? null : rest.join(':');
    if (user === '' || !isRole(role) || project === '')
      problems.push(
        `${JSON.stringify(entry)} must be user:role or user:role:project with a role of ${ROLES.join(', ')}`,
      );
    else if (grants.has(user)) problems.push(`${user} stands there twice`);
    else grants.set(user, { role, project });
  }
  return { grants, problems };
}
