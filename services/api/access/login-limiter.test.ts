import { isServiceError } from '@bessemer/core';
import { ManualClock } from '@bessemer/ports/testing';
import { expect, it } from 'vitest';
import { clientAddress } from './address.ts';
import { createLoginLimiter, networkOf } from './login-limiter.ts';

/** Seconds to wait, or 0 when the attempt was let through. */
const waitOf = (attempt: () => unknown): number => {
  try {
    attempt();
    return 0;
  } catch (error) {
    if (!isServiceError(error, 'TOO_MANY_REQUESTS')) throw error;
    return Number(error.context['retryAfterS']);
  }
};

it('lets a number of failures through, then doubles the wait up to five minutes, and forgets', async () => {
  const clock = new ManualClock();
  const limiter = createLoginLimiter(clock, 2);
  const fail = () => waitOf(() => limiter.begin('192.0.2.1', 'ann'));
  expect([fail(), fail(), fail()]).toEqual([0, 0, 1]);
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) {
    const wait = fail();
    waits.push(wait);
    await clock.advance(wait * 1000);
    fail();
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
  await clock.advance(16 * 60_000);
  expect([fail(), fail(), fail()]).toEqual([0, 0, 1]);
});

it('counts what is under way, gives back what was right, and keeps users and addresses apart', () => {
  const limiter = createLoginLimiter(new ManualClock(), 2);
  const first = limiter.begin('192.0.2.1', 'ann');
  const second = limiter.begin('192.0.2.1', 'ann');
  expect(waitOf(() => limiter.begin('192.0.2.1', 'ann'))).toBe(1);
  expect(waitOf(() => limiter.begin('192.0.2.1', 'bob').undecided())).toBe(0);
  expect(waitOf(() => limiter.begin('192.0.2.2', 'ann').undecided())).toBe(0);
  first.undecided();
  second.succeeded();
  expect(waitOf(() => limiter.begin('192.0.2.1', 'ann'))).toBe(0);
});

it('sees through many names from one address, and many addresses for one name', () => {
  const spray = createLoginLimiter(new ManualClock(), 2);
  const names = Array.from({ length: 8 }, (_, i) => waitOf(() => spray.begin('192.0.2.1', `u${i}`)));
  expect(names).toEqual([0, 0, 0, 0, 0, 0, 1, 1]);
  const botnet = createLoginLimiter(new ManualClock(), 2);
  const addresses = Array.from({ length: 22 }, (_, i) => waitOf(() => botnet.begin(`192.0.2.${i}`, 'ann')));
  expect(addresses.filter((wait) => wait === 0)).toHaveLength(20);
});

it('takes the network of an address that one party has', () => {
  expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(networkOf('2001:db8:0:1::7')).toBe('2001:db8:0:1::/64');
  expect(networkOf('2001:DB8:0000:0001:aaaa:bbbb:cccc:dddd')).toBe('2001:db8:0:1::/64');
  expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  expect(networkOf('::1')).toBe('0:0:0:0::/64');
});

it('believes X-Forwarded-For as far as it comes from trusted proxies', () => {
  const proxies = ['192.0.2.1', '192.0.2.2'];
  expect(clientAddress('203.0.113.9', '198.51.100.1', proxies)).toBe('203.0.113.9');
  expect(clientAddress('::ffff:192.0.2.1', '198.51.100.1', proxies)).toBe('198.51.100.1');
  expect(clientAddress('192.0.2.1', '1.1.1.1, 198.51.100.1, 192.0.2.2', proxies)).toBe('198.51.100.1');
  expect(clientAddress('192.0.2.1', 'nonsense!', proxies)).toBe('192.0.2.1');
  expect(clientAddress('192.0.2.1', '', proxies)).toBe('192.0.2.1');
  expect(clientAddress(undefined, '')).toBe('unknown');
});
