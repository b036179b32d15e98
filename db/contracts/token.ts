/** Bearer tokens: only their SHA-256 is stored. */
import type { Role } from '@bessemer/core';
import type { Page } from '../repositories.ts';

export interface AccessToken {
  readonly uuid: string;
  readonly name: string;
  readonly role: Role;
  /** Null is system scope. */
  readonly project: string | null;
  /** The user who made it. */
  readonly createdBy: string;
  readonly createdAt: number;
  /** Null: never. */
  readonly expiresAt: number | null;
  /** To the minute. */
  readonly lastUsedAt: number | null;
}

export interface TokenFilter {
  /** Only those of this project. */
  readonly visibleTo?: string;
}

export interface TokenRepository {
  /** `sha256` in lower-case hex. @throws ALREADY_EXISTS for a taken name. */
  create(token: Omit<AccessToken, 'createdAt' | 'lastUsedAt'> & { readonly sha256: string }): Promise<AccessToken>;
  /** By uuid or by name, expired or not. */
  find(ident: string): Promise<AccessToken | undefined>;
  /** The token that is not expired. */
  findOpen(sha256: string): Promise<AccessToken | undefined>;
  list(filter: TokenFilter, page: Page): Promise<AccessToken[]>;
  /** Notes that it was used now. */
  used(uuid: string): Promise<void>;
  /** It is valid no more from this moment. @throws NOT_FOUND. */
  remove(uuid: string): Promise<void>;
  /** Removes those that expired before `olderThan`. */
  purge(olderThan: number): Promise<number>;
}
