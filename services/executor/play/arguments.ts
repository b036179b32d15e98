/** Arguments written on one line: `path=/x state=directory`, and the free text of `command` and `shell`. */

/** Options that `command: ls chdir=/tmp` may carry inside its free text. */
const FREE_FORM_OPTIONS = [
  'creates',
  'removes',
  'chdir',
  'executable',
  'warn',
  'stdin',
  'stdin_add_newline',
  'strip_empty_ends',
];

interface Word {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Words as a shell sees them, quotes kept; `{{ ... }}` is never split. Undefined when a quote is not closed. */
function words(text: string): Word[] | undefined {
  const found: Word[] = [];
  let start = -1;
  let quote = '';
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (quote !== '') {
      if (char === undefined) return undefined;
      if (char === '\\' && quote === '"') at++;
      else if (char === quote) quote = '';
      continue;
    }
    if (char === undefined || /\s/.test(char)) {
      if (start >= 0) found.push({ start, end: at, text: text.slice(start, at) });
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (char === '"' || char === "'") quote = char;
    else if (text.startsWith('{{', at)) {
      const close = text.indexOf('}}', at);
      at = close < 0 ? text.length - 1 : close + 1;
    }
  }
  return found;
}

function unquote(text: string): string {
  const quote = text[0];
  if (text.length < 2 || (quote !== '"' && quote !== "'") || text.at(-1) !== quote) return text;
  const inner = text.slice(1, -1);
  return quote === '"' ? inner.replace(/\\(["\\])/g, '$1') : inner;
}

/** `key=value` words as an object; undefined when a word is not of that form. */
export function parseKeyValues(text: string): Record<string, string> | undefined {
  const values: Record<string, string> = {};
  for (const word of words(text) ?? ['?']) {
    const match = typeof word === 'string' ? null : /^(\w+)=(.*)$/s.exec(word.text);
    if (!match) return undefined;
    values[match[1]!] = unquote(match[2]!);
  }
  return values;
}

/** The free text of a command, with the options inside it taken out. */
export function parseFreeForm(text: string): { readonly raw: string; readonly options: Record<string, string> } {
  const options: Record<string, string> = {};
  let raw = '';
  let from = 0;
  // With an open quote the text is the shell's to judge: nothing is taken out.
  for (const word of words(text) ?? []) {
    const match = /^(\w+)=(.*)$/s.exec(word.text);
    if (!match || !FREE_FORM_OPTIONS.includes(match[1]!)) continue;
    options[match[1]!] = unquote(match[2]!);
    raw += text.slice(from, word.start).replace(/[ \t]+$/, from === 0 && word.start === 0 ? '' : ' ');
    from = word.end;
  }
  return { raw: (raw + text.slice(from)).trim(), options };
}
