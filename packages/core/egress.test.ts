import { expect, it } from 'vitest';
import { egressProblem, isForbiddenAddress, printableHref } from './egress.ts';

it.each([
  ['http://127.0.0.1:8080/hook?a=b', undefined],
  ['https://example.com/', undefined],
  ['https://[2001:db8::1]/', undefined],
  ['ftp://example.com/', 'http'],
  ['file:///etc/passwd', 'http'],
  ['nonsense', 'no URL'],
  ['http://user:word@example.com/', 'user or password'],
  ['http://example.com/#a', 'fragment'],
  ['http://169.254.169.254/latest/meta-data', 'nothing is sent to 169.254.169.254'],
  ['http://2852039166/', 'nothing is sent to 169.254.169.254'],
  ['http://0/', 'nothing is sent to 0.0.0.0'],
  ['http://[fe80::1]/', 'nothing is sent'],
  ['http://[::ffff:169.254.169.254]/', 'nothing is sent'],
  [`http://example.com/${'x'.repeat(2048)}`, 'longer'],
])('%s', (url, problem) => {
  if (problem === undefined) expect(egressProblem(url)).toBeUndefined();
  else expect(egressProblem(url)).toContain(problem);
});

it('an address that is none is not forbidden: it is looked up first', () => {
  expect(isForbiddenAddress('example.com')).toBe(false);
  expect(isForbiddenAddress('255.255.255.255')).toBe(true);
});

it('an address is printed without the secrets that it may hold', () => {
  expect(printableHref('https://user:pass@host/path?token=1#part')).toBe('https://host/path?...');
  expect(printableHref('no address')).toBe('"no address"');
});
