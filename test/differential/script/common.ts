/** What is tried on every collection alike. */
import type { Side } from '../side.ts';

export const add = (path: string, value: unknown) => [{ op: 'add', path, value }];
export const replace = (path: string, value: unknown) => [{ op: 'replace', path, value }];
export const remove = (path: string) => [{ op: 'remove', path }];

const NO_OBJECTS = [undefined, '', '{', '[]', '"x"', 'null', '7', '[{}]'];
const BAD_PATCHES: readonly unknown[] = [
  ...NO_OBJECTS,
  {},
  [1],
  [{ op: 'nosuch', path: '/extra', value: 1 }],
  [{ op: 'test', path: '/extra', value: {} }],
  [{ op: 'move', path: '/extra/x', from: '/extra' }],
  [{ path: '/extra/x', value: 1 }],
  [{ op: 'add', value: 1 }],
  [{ op: 'add', path: '/extra/x' }],
  [{ op: 'add', path: '', value: 1 }],
  [{ op: 'add', path: '/', value: 1 }],
  [{ op: 'add', path: 'extra/x', value: 1 }],
  [{ op: 'add', path: '/extra/a b', value: 1 }],
  [{ op: 'add', path: '/extra/a~1b', value: 1 }],
  [{ op: 'add', path: '/extra/no/such', value: 1 }],
  [{ op: 'replace', path: '/extra/nosuch', value: 1 }],
  [{ op: 'remove', path: '/extra/nosuch' }],
  [{ op: 'remove', path: '/nosuch/deep' }],
  [{ op: 'replace', path: '/extra', value: 7 }],
  [{ op: 'replace', path: '/links', value: [] }],
  [{ op: 'add', path: '/extra/x', value: 1, nosuch: 1 }],
];
const BAD_QUERIES = [
  '?limit=x',
  '?limit=-1',
  '?limit=',
  '?limit=100000',
  '?sort_dir=nosuch',
  '?sort_dir=desc',
  '?sort_key=created_at&fields=extra',
  '?sort_key=updated_at&fields=extra',
  '?sort_key=id&fields=extra',
  '?sort_key=links',
  '?marker=',
  '?marker=x',
  '?fields=',
  '?fields=uuid,',
  '?fields=uuid,uuid',
  '?fields=links',
  '?fields=uuid,nosuch',
  '?detail=nosuch',
  '?detail=false&fields=uuid',
  '?detail=0',
];

/** Bodies that are none, bad patches and list controls. `path` has an item `ident`, which may be patched. */
export async function mistakes(s: Side, path: string, ident: string): Promise<void> {
  for (const body of BAD_PATCHES) await s.send('PATCH', `${path}/${ident}`, body);
  for (const query of BAD_QUERIES) await s.send('GET', `${path}${query}`);
  await s.send('GET', `${path}?marker=${s.id('nosuch')}`);
  await s.send('GET', `${path}?limit=1&sort_key=id&sort_dir=desc&fields=extra`);
  await s.send('GET', `${path}?limit=1&marker=${ident}&fields=uuid`);
  await s.all([
    ['PATCH', path, []],
    ['DELETE', path],
    ['PUT', path, {}],
    ['PUT', `${path}/${ident}`, {}],
    ['POST', `${path}/${ident}`, {}],
    ['GET', `${path}/${ident}/nosuch`],
    ['GET', `${path}/${ident}?nosuch=1`],
    ['GET', `${path}/${ident}?fields=`],
    ['GET', `${path}/detail?fields=uuid`],
    ['GET', `${path}/detail?limit=1&sort_key=created_at`],
    ['PATCH', `${path}/${s.id('nosuch')}`, add('/extra/x', 1)],
    ['PATCH', `${path}/${s.id('nosuch')}`, add('/nosuch', 1)],
    ['DELETE', `${path}/${ident}/nosuch`],
    ['DELETE', `${path}/${ident}?nosuch=1`],
    ['PATCH', `${path}/${ident}?nosuch=1`, add('/extra/x', 1)],
    ['POST', `${path}?nosuch=1`, {}],
  ]);
  // Last: some of them may make items, with UUIDs that differ from side to side.
  for (const body of NO_OBJECTS) await s.send('POST', path, body);
}
