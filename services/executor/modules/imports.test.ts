import { describe, expect, it } from 'vitest';
import { candidateNames, findImports } from './imports.ts';

const all = (source: string, importer = 'ansible.modules.x', isPackage = false) =>
  findImports(source).flatMap((found) => candidateNames(found, importer, isPackage));

describe('imports of a Python text', () => {
  it.each([
    ['import os, ansible.module_utils.a as b', ['os', 'ansible.module_utils.a']],
    [
      'from ansible.module_utils.basic import AnsibleModule',
      ['ansible.module_utils.basic', 'ansible.module_utils.basic.AnsibleModule'],
    ],
    ['from a import (  # why\n  b,  # c\n  d as e,\n)', ['a', 'a.b', 'a.d']],
    ['from a import b, \\\n    c', ['a', 'a.b', 'a.c']],
    ['try:\n    from a import b\nexcept ImportError:\n    import c', ['a', 'a.b', 'c']],
    ['from ..module_utils.basic import x', ['ansible.module_utils.basic', 'ansible.module_utils.basic.x']],
    ['from . import y', ['ansible.modules', 'ansible.modules.y']],
    ['x = 1  # import nothing\nfromage = 2', []],
    ['from ....... import far', []],
  ])('%j', (source, names) => {
    expect(new Set(all(source))).toEqual(new Set(names));
  });

  it('are seen from the package itself in its __init__', () => {
    expect(all('from .inner import z', 'ansible.module_utils.p', true)).toEqual([
      'ansible.module_utils.p.inner',
      'ansible.module_utils.p.inner.z',
    ]);
  });
});
