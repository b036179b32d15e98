/**
 * The grammar:
 *
 *     range   = term *( "," term )
 *     term    = [ "-" ] 1*( text / set )      "-" takes the names away that stand before it
 *     set     = "[" item *( "," item ) "]"
 *     item    = text                          as it is
 *             / number "-" number             each number; a leading zero keeps the width: 08-11 is 08, 09, 10, 11
 *             / letter "-" letter             each letter
 *
 * `text` is anything but brackets, commas, blanks and control characters, so that every name and UUID of a node is a range of one.
 */

/** Names that the terms of a range may stand for together, and as many to take away, unless the caller says otherwise. */
export const MAX_NAMES = 10_000;
/** Characters that a range may have. */
const MAX_TEXT_LENGTH = 65_536;

export interface NodeRangeError {
  /** A sentence for the operator. */
  readonly message: string;
  /** Offset of the first wrong character, from 0. */
  readonly at: number;
}

/** The names, each once, in the order in which the range names them; or what is wrong with it. */
export type Expanded =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly error: NodeRangeError };

/** Thrown inside this file only: `expand` turns it into a result. */
class Malformed extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

interface Term {
  readonly isNegative: boolean;
  /** Alternatives of each part; their product is the term's names. */
  readonly parts: ReadonlyArray<readonly string[]>;
  readonly at: number;
  readonly text: string;
}

const BLANK_OR_CONTROL = /[\s\p{Cc}]/u;

/** How many names the parts make together. */
const countOf = (parts: ReadonlyArray<readonly string[]>): number =>
  parts.reduce((count, part) => count * part.length, 1);

function numbers(first: string, last: string, at: number, maxNames: number): string[] {
  const isPadded = /^0\d/.test(first) || /^0\d/.test(last);
  if (isPadded && first.length !== last.length)
    throw new Malformed(`${first}-${last} has numbers of different width; write both with the same`, at);
  const [from, to] = [Number(first), Number(last)];
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to))
    throw new Malformed(`${first}-${last} has a number that is too large`, at);
  if (from > to) throw new Malformed(`${first}-${last} runs backwards`, at);
  if (to - from >= maxNames) throw new Malformed(`${first}-${last} is more than ${maxNames} names`, at);
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i).padStart(isPadded ? first.length : 0, '0'));
}

/** What one item between brackets stands for. */
function itemOf(text: string, at: number, maxNames: number): string[] {
  if (text === '') throw new Malformed('something is missing between the brackets', at);
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (first !== undefined && last !== undefined) return numbers(first, last, at, maxNames);
  const [, a, b] = /^([a-z])-([a-z])$/.exec(text) ?? /^([A-Z])-([A-Z])$/.exec(text) ?? [];
  if (a !== undefined && b !== undefined) {
    const [from, to] = [a.charCodeAt(0), b.charCodeAt(0)];
    if (from > to) throw new Malformed(`${text} runs backwards`, at);
    return Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));
  }
  return [text];
}

/** The items of the set that opens at `open`, and the offset behind its bracket. */
function setAt(text: string, open: number, maxNames: number): { readonly values: string[]; readonly end: number } {
  const values: string[] = [];
  let start = open + 1;
  for (let at = start; at < text.length; at++) {
    const character = text[at]!;
    if (character === '[') throw new Malformed('a bracket inside of brackets', at);
    if (BLANK_OR_CONTROL.test(character)) throw new Malformed('a blank inside of brackets', at);
    if (character !== ',' && character !== ']') continue;
    for (const value of itemOf(text.slice(start, at), start, maxNames)) values.push(value);
    if (values.length > maxNames) throw new Malformed(`the brackets hold more than ${maxNames} names`, open);
    if (character === ']') return { values: [...new Set(values)], end: at + 1 };
    start = at + 1;
  }
  throw new Malformed('this bracket is never closed', open);
}

/** The term that begins at `start`, and the offset of the comma behind it or of the end. */
function termAt(text: string, start: number, maxNames: number): { readonly term: Term; readonly end: number } {
  let at = start;
  while (text[at] === ' ') at += 1;
  const begin = at;
  const isNegative = text[at] === '-';
  if (isNegative) at += 1;
  const parts: string[][] = [];
  let literal = '';
  while (at < text.length && text[at] !== ',') {
    const character = text[at]!;
    if (character === '[') {
      if (literal !== '') parts.push([literal]);
      literal = '';
      const set = setAt(text, at, maxNames);
      parts.push(set.values);
      at = set.end;
      continue;
    }
    if (character === ']') throw new Malformed('this bracket was never opened', at);
    if (BLANK_OR_CONTROL.test(character)) {
      if (/^ *(?:,|$)/.test(text.slice(at))) {
        while (text[at] === ' ') at += 1;
        break;
      }
      throw new Malformed('a blank inside of a name; separate names by commas', at);
    }
    literal += character;
    at += 1;
  }
  if (literal !== '') parts.push([literal]);
  if (parts.length === 0) throw new Malformed(isNegative ? 'a name is missing behind -' : 'a name is missing', begin);
  if (countOf(parts) > maxNames) throw new Malformed(`this is more than ${maxNames} names`, begin);
  return { term: { isNegative, parts, at: begin, text: text.slice(begin, at).trimEnd() }, end: at };
}

function namesOf(parts: ReadonlyArray<readonly string[]>): string[] {
  let names = [''];
  for (const part of parts) names = names.flatMap((name) => part.map((value) => name + value));
  return names;
}

/**
 * The names that a range stands for.
 * @param text such as `rack1-[01-40],-rack1-07` or `[web,db]-[a-c]`; a plain name stands for itself.
 * @param maxNames bounds the work as well: a range of more is refused before it is made.
 * @returns an error for a text that is no range, that names too many, that takes away what it has not named, or that leaves nothing.
 */
export function expand(text: string, maxNames: number = MAX_NAMES): Expanded {
  try {
    if (text.length > MAX_TEXT_LENGTH)
      throw new Malformed(`the range is longer than ${MAX_TEXT_LENGTH} characters`, MAX_TEXT_LENGTH);
    const names = new Set<string>();
    // Counted before they are made, and with repetitions: what is bounded is the work.
    const counts = { added: 0, removed: 0 };
    let at = 0;
    for (;;) {
      const { term, end } = termAt(text, at, maxNames);
      const kind = term.isNegative ? 'removed' : 'added';
      counts[kind] += countOf(term.parts);
      if (counts[kind] > maxNames) throw new Malformed(`up to here these are more than ${maxNames} names`, term.at);
      const own = namesOf(term.parts);
      if (term.isNegative) {
        // One that takes nothing away is a slip of the pen, and the node that was meant would be acted on.
        if (!own.some((name) => names.has(name)))
          throw new Malformed(`${term.text} takes away what the names before it do not have`, term.at);
        for (const name of own) names.delete(name);
      } else for (const name of own) names.add(name);
      if (end >= text.length) break;
      at = end + 1;
    }
    if (names.size === 0) throw new Malformed('no name is left', 0);
    return { ok: true, names: [...names] };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { ok: false, error: { message: error.message, at: error.at } };
  }
}
