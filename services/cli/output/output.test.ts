import { describe, expect, it } from 'vitest';
import { type FormatOptions, formatOutput, type Output } from './format.ts';
import { dumps, parseJson, repr, str } from './python.ts';
import { listTable, oneTable } from './table.ts';
import { cutToWidth, displayWidth } from './width.ts';

const PLAIN = { maxWidth: 0, printEmpty: false };
const OPTIONS: FormatOptions = {
  format: 'table',
  columns: [],
  maxWidth: 0,
  printEmpty: false,
  noIndent: false,
  quote: 'nonnumeric',
  prefix: '',
  sortColumns: [],
  isDescending: false,
};

describe('values as Python prints them', () => {
  it.each([
    ['null', 'None'],
    ['true', 'True'],
    ['1', '1'],
    ['1.0', '1.0'],
    ['2.50', '2.5'],
    ['-0.0', '-0.0'],
    ['1e16', '1e+16'],
    ['123456789012345.0', '123456789012345.0'],
    ['1e-5', '1e-05'],
    ['1e300', '1e+300'],
    ['9007199254740993', '9007199254740993'],
    ['"a"', 'a'],
    ['["a",1,null]', "['a', 1, None]"],
    ['{"a":{"b":[]},"c":{}}', "{'a': {'b': []}, 'c': {}}"],
    [`["it's"]`, `["it's"]`],
    [`["it's \\"so\\""]`, `['it\\'s "so"']`],
    ['["\\u0007\\n\\u00a0\\u200b\\\\ü日"]', String.raw`['\x07\n\xa0\u200b\\ü日']`],
  ])('str(%s) is %s', (json, text) => {
    expect(str(parseJson(json))).toBe(text);
  });

  it('repr quotes', () => {
    expect(repr('x')).toBe("'x'");
  });

  it('json.dumps: ASCII only, with and without indent', () => {
    const value = parseJson('{"ü":[1.0,{"a":null}],"e":{},"l":[],"s":"\\u007f日\\ud83d\\ude00\\n"}');
    expect(dumps(value, undefined)).toBe(
      '{"\\u00fc": [1.0, {"a": null}], "e": {}, "l": [], "s": "\\u007f\\u65e5\\ud83d\\ude00\\n"}',
    );
    expect(dumps(parseJson('{"a":[1,{"b":true}]}'), 2)).toBe(
      '{\n  "a": [\n    1,\n    {\n      "b": true\n    }\n  ]\n}',
    );
  });
});

describe('the width of a text', () => {
  it.each([
    ['abc', 3],
    ['日本', 4],
    ['é', 1],
    ['e\u0301', 1],
    ['😀', 2],
    ['\u001b[1mx\u001b[0m', 1],
    ['\u0007', 0],
    ['ﾊ', 1],
  ])('%j takes %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it('cuts without splitting a wide character', () => {
    expect(cutToWidth('日本語', 4)).toBe('日…');
    expect(cutToWidth('abcdef', 3)).toBe('ab…');
    expect(cutToWidth('abc', 3)).toBe('abc');
    expect(cutToWidth('abc', 0)).toBe('');
  });
});

describe('tables', () => {
  it('aligns by the first row: numbers right, all else left', () => {
    expect(
      listTable(
        ['N', 'Name'],
        [
          [1, 'a'],
          [22, '日本'],
        ],
        PLAIN,
      ),
    ).toBe(
      ['+----+------+', '|  N | Name |', '+----+------+', '|  1 | a    |', '| 22 | 日本 |', '+----+------+', ''].join(
        '\n',
      ),
    );
  });

  it('prints an empty line for nothing, and an empty table when asked', () => {
    expect(listTable(['A'], [], PLAIN)).toBe('\n');
    expect(listTable(['A', 'Bcd'], [], { maxWidth: 0, printEmpty: true })).toBe(
      '+---+-----+\n| A | Bcd |\n+---+-----+\n+---+-----+\n',
    );
  });

  it('gives a value of several lines several lines', () => {
    expect(
      oneTable(
        [
          ['a', 'x\r\ny'],
          ['b', null],
        ],
        PLAIN,
      ),
    ).toBe(
      [
        '+-------+-------+',
        '| Field | Value |',
        '+-------+-------+',
        '| a     | x     |',
        '|       | y     |',
        '| b     | None  |',
        '+-------+-------+',
        '',
      ].join('\n'),
    );
  });

  it('wraps what is wider than --max-width at blanks and hyphens, and cuts long words', () => {
    const text = 'well-known words and averyveryverylongwordwithoutanyblankinside';
    const table = oneTable([['k', text]], { maxWidth: 34, printEmpty: false });
    expect(table).toBe(
      [
        '+-------+------------------------+',
        '| Field | Value                  |',
        '+-------+------------------------+',
        '| k     | well-known words and a |',
        '|       | veryveryverylongwordwi |',
        '|       | thoutanyblankinside    |',
        '+-------+------------------------+',
        '',
      ].join('\n'),
    );
  });
});

describe('formats', () => {
  const list: Output = {
    kind: 'list',
    heads: ['UUID', 'Name', 'N'],
    rows: [
      ['u1', 'b "x"', 2],
      ['u2', null, 1],
    ],
  };
  const one: Output = {
    kind: 'one',
    pairs: [
      ['a-b', 'x"y'],
      ['c', ['z', null]],
    ],
  };
  it.each([
    ['value', list, {}, 'u1 b "x" 2\nu2 None 1\n'],
    ['value', list, { columns: ['N', 'UUID'] }, 'u1 2\nu2 1\n'],
    ['value', list, { sortColumns: ['N'] }, 'u2 None 1\nu1 b "x" 2\n'],
    ['value', list, { sortColumns: ['N'], isDescending: true }, 'u1 b "x" 2\nu2 None 1\n'],
    ['csv', list, {}, '"UUID","Name","N"\n"u1","b ""x""",2\n"u2","",1\n'],
    ['json', list, { noIndent: true, columns: ['Name'] }, '[{"Name": "b \\"x\\""}, {"Name": null}]\n'],
    ['yaml', list, { columns: ['UUID', 'N'] }, '- N: 2\n  UUID: u1\n- N: 1\n  UUID: u2\n'],
    ['shell', one, { prefix: 'p_' }, 'p_a_b="x\\"y"\np_c="[\'z\', None]"\n'],
    ['value', one, {}, "x\"y\n['z', None]\n"],
  ] as const)('%s', (format, output, more, text) => {
    expect(formatOutput(output, { ...OPTIONS, format, ...more })).toBe(text);
  });

  it.each([
    ['a b', 'a b'],
    ['11111111-1111', '11111111-1111'],
    ['2026-11-20T15:27:31+00:00', "'2026-11-20T15:27:31+00:00'"],
    ['1:20', "'1:20'"],
    ['0x1f', "'0x1f'"],
    ['1e5', '1e5'],
    ['1.5', "'1.5'"],
    ['yes', "'yes'"],
    ['', "''"],
    ["it's", "it's"],
    ["'x", "'''x'"],
    ['a: b', "'a: b'"],
    ['http://x', 'http://x'],
    ['- a', "'- a'"],
    ['-a', '-a'],
    ['a #b', "'a #b'"],
    ['ü\n日😀"', '"\\xFC\\n\\u65E5\\U0001F600\\""'],
  ])('YAML writes %j as %s', (text, yaml) => {
    const output: Output = { kind: 'one', pairs: [['k', text]] };
    expect(formatOutput(output, { ...OPTIONS, format: 'yaml' })).toBe(`k: ${yaml}\n`);
  });

  it('takes the names of fields for columns', () => {
    const fields: Output = { ...list, fields: ['uuid', 'name', 'n'] };
    expect(formatOutput(fields, { ...OPTIONS, format: 'value', columns: ['n', 'uuid'], sortColumns: ['n'] })).toBe(
      'u2 1\nu1 2\n',
    );
  });

  it('names the columns that there are', () => {
    expect(() => formatOutput(list, { ...OPTIONS, columns: ['x'] })).toThrow(/Recognized columns are UUID, Name, N/);
  });
});
