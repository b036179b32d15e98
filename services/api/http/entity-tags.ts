/**
 * Entity tags (RFC 9110 section 8.8): strong, a digest of the text that is sent. The microversion stands in the tag, because
 * the same object is another text at another one: whoever changes it at a later microversion is understood all the same.
 */
import { hash } from 'node:crypto';
import { MAX_MINOR, MIN_MINOR } from './versions.ts';

export interface EntityTag {
  /** As it stands in a header, quotes included. */
  readonly text: string;
  readonly isWeak: boolean;
  /** N of 1.N at which the object was shown; undefined for a tag that is none of ours. */
  readonly minor: number | undefined;
  /** Of a view that was narrowed with a query such as `fields=`. */
  readonly isPartial: boolean;
}

/** What a tag holds of a text. */
export const digestOf = (text: string): string => hash('sha256', text, 'base64url').slice(0, 27);

/** The tag of a text with this digest, shown at 1.`minor`. */
export const entityTag = (digest: string, minor: number, isPartial: boolean): string =>
  `"${minor}${isPartial ? 'p' : ''}-${digest}"`;

/** More would only make us show the object again and again. */
const MAX_TAGS = 16;
const ONE = /\s*(W\/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)/y;
const OURS = /^"(\d{1,3})(p?)-[\w-]{27}"$/;

/** The list in If-Match or If-None-Match, or `*`; undefined when it is neither. */
export function parseEntityTags(header: string): readonly EntityTag[] | '*' | undefined {
  if (header.trim() === '*') return '*';
  const tags: EntityTag[] = [];
  ONE.lastIndex = 0;
  while (ONE.lastIndex < header.length) {
    const match = ONE.exec(header);
    if (!match || tags.length >= MAX_TAGS) return undefined;
    const ours = OURS.exec(match[2]!);
    const minor = Number(ours?.[1]);
    tags.push({
      text: match[2]!,
      isWeak: match[1] !== undefined,
      minor: minor >= MIN_MINOR && minor <= MAX_MINOR ? minor : undefined,
      isPartial: ours?.[2] === 'p',
    });
  }
  return tags.length > 0 ? tags : undefined;
}
