import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModuleLibrary } from './library.ts';

const FILES: Record<string, string> = {
  'ansible/release.py': "__version__ = '9.9.9'\n",
  'ansible/module_utils/basic.py': 'from ansible.module_utils.common.text import t\n',
  'ansible/module_utils/common/__init__.py': '',
  'ansible/module_utils/common/text.py': 't = 1\n',
  'ansible/module_utils/unused.py': '',
  'ansible/modules/plain.py': 'from ansible.module_utils.basic import AnsibleModule\n',
  'ansible/modules/old_style.py': 'print(1)\n',
  'c/ansible_collections/ns/col/plugins/modules/thing.py':
    'from ansible.module_utils.basic import AnsibleModule\nfrom ansible_collections.ns.col.plugins.module_utils.helper import h\n',
  'c/ansible_collections/ns/col/plugins/module_utils/helper.py': 'from . import second\nimport nowhere\n',
  'c/ansible_collections/ns/col/plugins/module_utils/second.py': '',
};
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'bessemer-library-'));
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
const library = () => createModuleLibrary({ ansiblePath: join(root, 'ansible'), collectionPaths: [join(root, 'c')] });

describe('the library of modules', () => {
  it('collects a module and exactly what it imports, with the packages above', () => {
    const { names, modules } = library().collect(['ansible.builtin.plain']);
    expect([...names.keys()].sort()).toEqual([
      'ansible',
      'ansible.module_utils',
      'ansible.module_utils.basic',
      'ansible.module_utils.common',
      'ansible.module_utils.common.text',
      'ansible.modules',
      'ansible.modules.plain',
    ]);
    expect(names.get('ansible')).toMatchObject({ isPackage: true, source: "__version__ = '9.9.9'\n" });
    expect([...modules]).toEqual([['plain', 'ansible.modules.plain']]);
  });

  it('collects from collections', () => {
    const { names } = library().collect(['ns.col.thing']);
    for (const name of ['thing', 'helper', 'second'])
      expect(
        [...names.keys()].some((each) => each.startsWith('ansible_collections.ns.col.plugins.') && each.endsWith(name)),
      ).toBe(true);
    expect(names.get('ansible_collections')).toMatchObject({ isPackage: true, source: '' });
  });

  it.each(['absent', 'old_style', '../plain', 'ns.col', 'ns.col.absent', 'ns.other.thing'])(
    'refuses %s, saying where it looked',
    (name) => {
      expect(library().has(name)).toBe(false);
      expect(() => library().check(name)).toThrow(
        expect.objectContaining({ code: 'MODULE_NOT_FOUND', message: expect.stringContaining(name) }),
      );
    },
  );

  it('reads a changed file again', () => {
    const one = library();
    const digest = () => one.collect(['plain']).names.get('ansible.modules.plain')!.digest;
    const before = digest();
    expect(digest()).toBe(before);
    writeFileSync(join(root, 'ansible/modules/plain.py'), `${FILES['ansible/modules/plain.py']}# more\n`);
    expect(digest()).not.toBe(before);
  });

  it('says what to install when there is no ansible-core', () => {
    expect(() => createModuleLibrary({ ansiblePath: join(root, 'nowhere') })).toThrow(
      /install the package ansible-core/,
    );
  });
});
