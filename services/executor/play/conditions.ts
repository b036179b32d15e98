/**
 * Conditions of `when`, `changed_when`, `failed_when` and `assert`: variables, literals, comparisons, `in`, `and`, `or`, `not`,
 * and the tests `is [not] defined|undefined|none|failed|succeeded|changed|skipped`. Compiled to nested lists for the runtime.
 */
import type { Json } from '@bessemer/executor-protocol';
import { invalid } from './invalid.ts';
import type { Located } from './located.ts';
import { parsePath } from './references.ts';

const TOKEN =
  /\s*(?:('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?)(?![\w.])|(==|!=|<=|>=|<|>|\(|\)|\[|\]|,)|([A-Za-z_]\w*(?:\.\w+|\[\d+\]|\[(?:'[^'\]]*'|"[^"\]]*")\])*))/y;
const TESTS = ['failed', 'succeeded', 'success', 'changed', 'skipped'];
const CONSTANTS: Record<string, Json> = { true: true, false: false, none: null, True: true, False: false, None: null };
const MAX_NESTING = 40;

interface Token {
  readonly kind: 'text' | 'number' | 'sign' | 'word';
  readonly text: string;
}

class Unsupported extends Error {}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Unsupported(`'${text.slice(from).trim().slice(0, 20)}' is not understood`);
    if (match[1] !== undefined) tokens.push({ kind: 'text', text: match[1].slice(1, -1).replace(/\\(['"\\])/g, '$1') });
    else if (match[2] !== undefined) tokens.push({ kind: 'number', text: match[2] });
    else if (match[3] !== undefined) tokens.push({ kind: 'sign', text: match[3] });
    else tokens.push({ kind: 'word', text: match[4]! });
  }
  return tokens;
}

function parse(text: string): Json {
  const tokens = tokenize(text);
  let at = 0;
  let nesting = 0;
  const peek = (...words: string[]) => {
    const token = tokens[at];
    return token !== undefined && token.kind !== 'text' && words.includes(token.text);
  };
  const take = (...words: string[]) => peek(...words) && ++at > 0;
  const need = (word: string) => {
    if (!take(word)) throw new Unsupported(`'${word}' is missing`);
  };

  function any(): Json {
    if (++nesting > MAX_NESTING) throw new Unsupported('it is nested too deep');
    const parts = [all()];
    while (take('or')) parts.push(all());
    nesting--;
    return parts.length === 1 ? parts[0]! : ['or', ...parts];
  }
  function all(): Json {
    const parts = [negation()];
    while (take('and')) parts.push(negation());
    return parts.length === 1 ? parts[0]! : ['and', ...parts];
  }
  function negation(): Json {
    if (!take('not')) return comparison();
    if (++nesting > MAX_NESTING) throw new Unsupported('it is nested too deep');
    const inner = negation();
    nesting--;
    return ['not', inner];
  }
  function comparison(): Json {
    const left = operand();
    if (take('is')) {
      const negated = take('not');
      const name = tokens[at++]?.text ?? '';
      const test: Json | undefined =
        name === 'defined'
          ? ['defined', left]
          : name === 'undefined'
            ? ['not', ['defined', left]]
            : name === 'none'
              ? ['none', left]
              : TESTS.includes(name)
                ? ['test', name, left]
                : undefined;
      if (test === undefined)
        throw new Unsupported(`the test 'is ${name}' is not one of defined, undefined, none, ${TESTS.join(', ')}`);
      return negated ? ['not', test] : test;
    }
    for (const sign of ['==', '!=', '<=', '>=', '<', '>', 'in']) if (take(sign)) return [sign, left, operand()];
    if (peek('not') && tokens[at + 1]?.text === 'in') {
      at += 2;
      return ['not in', left, operand()];
    }
    return left;
  }
  function operand(): Json {
    const token = tokens[at++];
    if (!token) throw new Unsupported('it ends too early');
    if (token.kind === 'text') return ['lit', token.text];
    if (token.kind === 'number') return ['lit', Number(token.text)];
    if (token.kind === 'sign') {
      if (token.text === '(') {
        const inner = any();
        need(')');
        return inner;
      }
      if (token.text !== '[') throw new Unsupported(`'${token.text}' stands where a value is expected`);
      const items: Json[] = [];
      while (!peek(']')) {
        items.push(operand());
        if (!take(',')) break;
      }
      need(']');
      return ['list', ...items];
    }
    if (Object.hasOwn(CONSTANTS, token.text)) return ['lit', CONSTANTS[token.text]!];
    if (['and', 'or', 'not', 'in', 'is'].includes(token.text))
      throw new Unsupported(`'${token.text}' stands where a value is expected`);
    return ['var', parsePath(token.text)!];
  }

  const whole = any();
  if (at < tokens.length) throw new Unsupported(`'${tokens[at]!.text}' is not understood there`);
  return whole;
}

/** A condition: a text, true or false, or a list of them that must all hold. Throws PLAY_INVALID. */
export function compileCondition(located: Located, file: string): Json {
  if (located.kind === 'list') return ['and', ...located.items.map((item) => compileCondition(item, file))];
  if (located.kind === 'map') throw invalid(file, located.line, 'a condition must be text');
  const { value } = located;
  if (typeof value !== 'string') return ['lit', value];
  try {
    return parse(value);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    throw invalid(
      file,
      located.line,
      `the condition '${value}' is not supported: ${error.message} (supported are variables, literals, ==, !=, <, <=, >, >=, in, and, or, not, and "is defined" and the like; no filters)`,
    );
  }
}
