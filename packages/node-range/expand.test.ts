import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expand, MAX_NAMES } from './expand.ts';

const names = (text: string) => {
  const result = expand(text);
  if (!result.ok) throw new Error(`${result.error.message} at ${result.error.at}`);
  return result.names;
};

describe('names from a range', () => {
  it.each([
    ['n1', ['n1']],
    ['8dd6f0a2-4f27-4a9e-9d5c-0d3a1d8f1a11', ['8dd6f0a2-4f27-4a9e-9d5c-0d3a1d8f1a11']],
    ['n1,n2', ['n1', 'n2']],
    ['n1, n2 ,n1', ['n1', 'n2']],
    ['n[1-3]', ['n1', 'n2', 'n3']],
    ['n[08-11]', ['n08', 'n09', 'n10', 'n11']],
    ['n[9-11]', ['n9', 'n10', 'n11']],
    ['n[001-003]', ['n001', 'n002', 'n003']],
    ['n[0-2]', ['n0', 'n1', 'n2']],
    ['n[1,3,7-8]', ['n1', 'n3', 'n7', 'n8']],
    ['r[1-2]-[a-b].x', ['r1-a.x', 'r1-b.x', 'r2-a.x', 'r2-b.x']],
    ['[web,db]-01', ['web-01', 'db-01']],
    ['rack1-[01-04],-rack1-02', ['rack1-01', 'rack1-03', 'rack1-04']],
    ['r[1-5],-r[2-3,9],r2', ['r1', 'r4', 'r5', 'r2']],
    ['n-[1-2]', ['n-1', 'n-2']],
    ['n[x-1]', ['nx-1']],
  ])('%s', (text, expected) => {
    expect(names(text)).toEqual(expected);
  });

  it.each([
    ['', 0, 'a name is missing'],
    ['a,,b', 2, 'a name is missing'],
    ['a,', 2, 'a name is missing'],
    ['a,-', 2, 'missing behind -'],
    ['n[1-3', 1, 'never closed'],
    ['n1-3]', 4, 'never opened'],
    ['n[]', 2, 'missing between'],
    ['n[1,]', 4, 'missing between'],
    ['n[[1]]', 2, 'inside of brackets'],
    ['n[1 -3]', 3, 'blank inside of brackets'],
    ['n1 n2', 2, 'separate names by commas'],
    ['n[3-1]', 2, 'runs backwards'],
    ['n[c-a]', 2, 'runs backwards'],
    ['n[01-100]', 2, 'different width'],
    ['-n1', 0, 'takes away'],
    ['n[1-3],-m1', 7, 'takes away'],
    ['n1,-n1', 0, 'no name is left'],
    ['n[1-99999]', 2, 'more than 10000 names'],
    ['a,n[0-99][0-99][0-9]', 2, 'more than 10000 names'],
    ['n[0-99999999999999999999]', 2, 'too large'],
  ])('%j is refused at %i: %s', (text, at, words) => {
    const result = expand(text);
    expect(result).toMatchObject({ ok: false, error: { at } });
    expect(!result.ok && result.error.message).toContain(words);
  });

  it('counts over all terms, and takes a smaller limit', () => {
    expect(expand('a[0-9999],b')).toMatchObject({ ok: false, error: { at: 10 } });
    expect(expand('n[1-3]', 2)).toMatchObject({ ok: false });
    expect(expand('n[1-3]', 3)).toMatchObject({ ok: true });
    expect(names(`a[1-${MAX_NAMES}]`)).toHaveLength(MAX_NAMES);
    expect(expand(`${'a'.repeat(70_000)}`)).toMatchObject({ ok: false });
  });
});

describe('any text', () => {
  it('gives names or an error at a place inside of it, and never throws', () => {
    const text = fc.array(fc.constantFrom('[', ']', ',', '-', ' ', '0', '1', '9', 'a', 'b', '\n', 'é'), {
      maxLength: 24,
    });
    fc.assert(
      fc.property(text, (characters) => {
        const range = characters.join('');
        const result = expand(range, 500);
        if (result.ok) {
          expect(result.names.length).toBeGreaterThan(0);
          expect(result.names.length).toBeLessThanOrEqual(500);
          expect(new Set(result.names).size).toBe(result.names.length);
        } else {
          expect(result.error.at).toBeGreaterThanOrEqual(0);
          expect(result.error.at).toBeLessThanOrEqual(range.length);
        }
      }),
    );
  });

  it('a list of plain names stands for these names', () => {
    const name = fc.stringMatching(/^[a-z0-9._~][a-z0-9._~-]{0,12}$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 20 }), (given) => {
        expect(names(given.join(','))).toEqual([...new Set(given)]);
      }),
    );
  });
});
