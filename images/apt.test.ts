import { expect, test } from 'vitest';
import { debianSources } from './apt.ts';

test('takes the Debian sources of a host, in either form, and leaves vendors out', () => {
  const deb822 = `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://vendor.example
Suites: bookworm
Components: stable
`;
  const oneLine = `# deb http://mirror.example/commented bookworm main
deb-src http://mirror.example/source bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/security bookworm-security main non-free
deb http://vendor.example cloud-bookworm main
`;
  expect(
    debianSources([
      { name: 'debian.sources', text: deb822 },
      { name: 'old.list', text: oneLine },
    ]),
  ).toBe(`Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
Signed-By: /k.gpg
`);
});

test('keys inside a source come along', () => {
  const text = `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
`;
  expect(debianSources([{ name: 'a.sources', text }])).toContain(
    'Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n',
  );
});

test('nothing of Debian gives nothing', () => {
  expect(debianSources([{ name: 'x.list', text: 'deb http://vendor.example stable main\n' }])).toBe('');
});
