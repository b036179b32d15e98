/** HTML as values: whatever is put into a template is text and escaped, unless it is HTML itself. */

/** Markup that is safe as it stands. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | undefined | false | readonly Part[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for between tags, and for attributes in either kind of quotes. */
export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!);

function textOf(part: Part): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return escapeHtml(String(part));
}

/** A template of HTML: html`<b>${name}</b>`. Lists are joined, `undefined` and `false` are nothing. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Html =>
  new Html(strings.reduce((text, string, i) => text + textOf(parts[i - 1]) + string));

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b/gi;

/** JSON with its names and values told apart. */
export function jsonHtml(value: unknown): Html {
  const text = JSON.stringify(value, null, 2);
  let out = '';
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, string, colon] = match;
    out += escapeHtml(text.slice(at, match.index));
    const kind = colon !== undefined ? 'k' : string !== undefined ? 's' : 'n';
    out += `<span class="${kind}">${escapeHtml(string ?? token)}</span>${colon ?? ''}`;
    at = match.index + token.length;
  }
  return new Html(out + escapeHtml(text.slice(at)));
}

const CODE = /`([^`]+)`/g;

/** Prose in which `code` stands between backquotes. */
export function prose(text: string): Html {
  return new Html(escapeHtml(text).replaceAll(CODE, '<code>$1</code>'));
}
