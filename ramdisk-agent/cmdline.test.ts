import { describe, expect, test } from 'vitest';
import { parseCmdline } from './cmdline.ts';

const pin = 'ab'.repeat(32);
const good = `bessemer.agent=wss://10.0.0.1:6386/agent bessemer.pin=sha256:${pin} bessemer.token=0123456789abcdef`;

describe('the kernel command line', () => {
  test('gives addresses, pin, token, time and the boot port', () => {
    const line = `initrd=ramdisk console=ttyS0 ${good.replace('/agent', '/agent,wss://[fd00::1]/agent')} bessemer.time=1790000000 BOOTIF=01-52-54-00-AB-CD-EF quiet\n`;
    expect(parseCmdline(line)).toEqual({
      ok: true,
      value: {
        urls: ['wss://10.0.0.1:6386/agent', 'wss://[fd00::1]/agent'],
        token: '0123456789abcdef',
        pin,
        timeMs: 1_790_000_000_000,
        bootMac: '52:54:00:ab:cd:ef',
      },
    });
  });
  test.each([
    ['BOOTIF=52:54:00:ab:cd:ef', '52:54:00:ab:cd:ef'],
    ['BOOTIF=nonsense', undefined],
  ])('%s', (word, mac) => {
    expect(parseCmdline(`${good} ${word}`)).toMatchObject({ ok: true });
    const parsed = parseCmdline(`${good} ${word}`);
    expect(parsed.ok && parsed.value.bootMac).toBe(mac);
  });
  test.each([
    ['', 'has no bessemer.agent'],
    [good.replace('wss:', 'ws:'), 'is not a wss:// address'],
    [good.replace('wss://10.0.0.1:6386', 'nonsense'), 'is not a wss:// address'],
    [good.replace('sha256:', ''), 'bessemer.pin must be'],
    [good.replace(pin, 'abc'), 'bessemer.pin must be'],
    [good.replace('0123456789abcdef', 'short'), 'bessemer.token'],
    [`${good} bessemer.time=soon`, 'bessemer.time'],
    ['x'.repeat(5000), 'longer than'],
  ])('%s is refused', (line, reason) => {
    expect(parseCmdline(line)).toMatchObject({ ok: false, error: expect.stringContaining(reason) });
  });
});
