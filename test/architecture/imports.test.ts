import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sourcesBelow, specifiersOf, violations } from './imports.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the arrows of import', () => {
  it('are those of the plan, over the whole tree', () => {
    const files = sourcesBelow(root);
    expect(files.length).toBeGreaterThan(100);
    expect(violations(files)).toEqual([]);
  });

  const planted: ReadonlyArray<readonly [what: string, path: string, text: string, says: string]> = [
    [
      'an arrow against the plan',
      'packages/core/x.ts',
      "import { a } from '@bessemer/db';",
      'packages/core may not import db',
    ],
    [
      'a relative way around a door',
      'services/api/x.ts',
      "import { a } from '../../db/rows.ts';",
      'by a relative path',
    ],
    ['knex outside db', 'services/api/x.ts', "import knex from 'knex';", 'imports knex'],
    ['amqplib outside rpc', 'services/conductor/x.ts', "import amqp from 'amqplib';", 'imports amqplib'],
    ['dgram outside ports', 'packages/ipmi/x.ts', "import { createSocket } from 'node:dgram';", 'imports node:dgram'],
    ['ssh2 outside the executor', 'services/conductor/x.ts', "import { Client } from 'ssh2';", 'imports ssh2'],
    [
      'a server behind the agent',
      'ramdisk-agent/x.ts',
      "import { a } from '@bessemer/conductor';",
      'ramdisk-agent may not import services/conductor',
    ],
    [
      'the environment read in a library',
      'packages/core/x.ts',
      'export const a = process.env.HOME;',
      'only main.ts may',
    ],
    ['a file in no room', 'attic/x.ts', 'export const a = 1;', 'in no room'],
    [
      'a dynamic import',
      'services/cli/x.ts',
      "const a = await import('@bessemer/core');",
      'services/cli may not import packages/core',
    ],
  ];
  for (const [what, path, text, says] of planted)
    it(`catches ${what}`, () => {
      expect(violations([{ path, text }]).join('\n')).toContain(says);
    });

  it('catches a cycle', () => {
    const files = [
      { path: 'packages/sim/x.ts', text: "import '@bessemer/bessemer';" },
      { path: 'services/bessemer/x.ts', text: "import '@bessemer/sim';" },
    ];
    expect(violations(files).join('\n')).toContain('cycle: packages/sim -> services/bessemer -> packages/sim');
  });

  it('reads every form of import', () => {
    const text =
      "import a from 'a';\nimport type { B,\n C } from 'b';\nexport * from './c.ts';\nimport 'd';\nawait import('e');";
    expect(specifiersOf(text)).toEqual(['a', 'b', './c.ts', 'd', 'e']);
  });
});
