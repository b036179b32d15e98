import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootPlan } from './plan.ts';
import type { PlanInput } from './plan.ts';
import { renderChain, renderIpxe, renderLocal, renderRefused, renderUnknown, renderUnnamed } from './render-ipxe.ts';
import { readScriptRequest } from './script-request.ts';
import { parseRange } from './artefacts.ts';

const BASE = 'http://198.51.100.1:8080';
const CHAIN = `${BASE}/boot/boot.ipxe`;
const input: PlanInput = {
  kernelUrl: `${BASE}/boot/files/vmlinuz?boot=0123`,
  initrdUrl: `${BASE}/boot/files/initrd.zst?boot=0123`,
  mac: '52:54:00:00:00:01',
  agentUrl: 'wss://198.51.100.1:6386/agent',
  agentPin: `sha256:${'ab'.repeat(32)}`,
  token: 'secret-token_1',
  nowMs: 1_767_225_600_999,
  kernelArgs: ['console=ttyS0'],
};
const rendered = (change: Partial<PlanInput> = {}) => {
  const result = bootPlan({ ...input, ...change });
  if (!result.ok) throw new Error(result.problems.join('; '));
  return renderIpxe(result.plan, CHAIN);
};

describe('a boot plan', () => {
  it('carries what the agent reads, ours after what others ask for', () => {
    const result = bootPlan(input);
    expect(result).toEqual({
      ok: true,
      plan: {
        kernel: input.kernelUrl,
        initrd: input.initrdUrl,
        args: [
          'console=ttyS0',
          'BOOTIF=01-52-54-00-00-00-01',
          'bessemer.agent=wss://198.51.100.1:6386/agent',
          `bessemer.pin=sha256:${'ab'.repeat(32)}`,
          'bessemer.token=secret-token_1',
          'bessemer.time=1767225600',
        ],
      },
    });
  });

  it('becomes a script that starts again from the beginning when something does not load', () => {
    expect(rendered()).toBe(
      [
        '#!ipxe',
        `kernel --name kernel ${BASE}/boot/files/vmlinuz?boot=0123 initrd=rd console=ttyS0 BOOTIF=01-52-54-00-00-00-01 ` +
          `bessemer.agent=wss://198.51.100.1:6386/agent bessemer.pin=sha256:${'ab'.repeat(32)} ` +
          'bessemer.token=secret-token_1 bessemer.time=1767225600 || goto again',
        `initrd --name rd ${BASE}/boot/files/initrd.zst?boot=0123 || goto again`,
        'boot || goto again',
        ':again',
        'echo bessemer: kernel or ramdisk did not load, starting again in 5 s',
        'sleep 5',
        'imgfree',
        `chain --replace ${CHAIN} || goto again`,
        '',
      ].join('\n'),
    );
  });

  it.each([
    'a b',
    'a\nshell',
    'x=${net0/mac}',
    'x="y"',
    "x='y'",
    'x=\\n',
    '||',
    '&&',
    '#',
    'x=`y`',
    'x=é',
    '',
    '-x',
    'x=$y',
  ])('refuses the kernel argument %j', (argument) => {
    const result = bootPlan({ ...input, kernelArgs: [argument] });
    expect(result).toMatchObject({ ok: false, problems: [expect.stringContaining(JSON.stringify(argument))] });
  });

  it('refuses arguments that are its own, and a line the kernel would cut', () => {
    for (const argument of ['bessemer.token=x', 'bessemer.agent', 'BOOTIF=01-x'])
      expect(bootPlan({ ...input, kernelArgs: [argument] })).toMatchObject({ ok: false });
    const long = Array.from({ length: 200 }, (_x, i) => `argument${i}=value`);
    expect(bootPlan({ ...input, kernelArgs: long })).toMatchObject({
      ok: false,
      problems: [expect.stringContaining('2047 are possible')],
    });
  });

  it('never tells the token in a problem', () => {
    const result = bootPlan({ ...input, token: 'very secret' });
    expect(result).toEqual({ ok: false, problems: ['bessemer.token has a value that is not allowed'] });
  });

  it('lets no argument add a line, a word or an expansion', () => {
    const plain = rendered().split('\n');
    const words = plain[1]!.split(' ').length;
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 20 })), (argument) => {
        const result = bootPlan({ ...input, kernelArgs: ['console=ttyS0', argument] });
        if (!result.ok) return;
        const lines = renderIpxe(result.plan, CHAIN).split('\n');
        expect(lines).toHaveLength(plain.length);
        expect(lines[1]!.split(' ')).toHaveLength(words + 1);
        expect(lines[1]).not.toMatch(/\$\{|"|'|\\/);
      }),
    );
  });

  it('is not rendered with a URL or an argument that is none', () => {
    const plan = { kernel: `${BASE}/k`, initrd: `${BASE}/i`, args: [] };
    expect(() => renderIpxe({ ...plan, kernel: `${BASE}/k x` }, CHAIN)).toThrow(RangeError);
    expect(() => renderIpxe({ ...plan, initrd: `${BASE}/\${x}` }, CHAIN)).toThrow(RangeError);
    expect(() => renderIpxe({ ...plan, args: ['a\nb'] }, CHAIN)).toThrow(RangeError);
    expect(() => renderIpxe({ ...plan, args: ['${x}'] }, CHAIN)).toThrow(RangeError);
  });
});

describe('the other scripts', () => {
  it('never retry without a pause', () => {
    const scripts = [
      renderChain(BASE),
      rendered(),
      renderUnknown('52:54:00:00:00:01', CHAIN),
      renderRefused(CHAIN),
      renderUnnamed(CHAIN),
    ];
    for (const script of scripts) {
      const [head, ...lines] = script.trimEnd().split('\n');
      expect(head).toBe('#!ipxe');
      const label = /goto (\w+)$/.exec(lines.at(-1)!)![1];
      expect(lines.slice(lines.indexOf(`:${label}`)).some((line) => /^sleep [0-9]+$/.test(line))).toBe(true);
    }
  });

  it('sends a machine to its disk by a failure', () => {
    expect(renderLocal('52:54:00:00:00:01')).toMatch(/\nexit 1\n$/);
    expect(() => renderLocal('x\nshell')).toThrow(RangeError);
  });
});

describe('readScriptRequest', () => {
  const read = (query: string) => readScriptRequest(new URLSearchParams(query));

  it('takes a MAC in both spellings', () => {
    expect(read('mac=52-54-00-AB-00-01')).toEqual({ mac: '52:54:00:ab:00:01' });
    expect(read('mac=52:54:00:ab:00:01&uuid=&serial=&arch=i386&platform=pcbios')).toEqual({
      mac: '52:54:00:ab:00:01',
      arch: 'i386',
      platform: 'pcbios',
    });
  });

  it('takes nothing without a MAC, and leaves out what is not of its form', () => {
    expect(read('')).toBeUndefined();
    expect(read('mac=52-54-00-ab-00')).toBeUndefined();
    expect(read('mac=52-54-00-ab-00-01&serial=a%0Ab&uuid=1&arch=a+b&platform=%24%7Bx%7D')).toEqual({
      mac: '52:54:00:ab:00:01',
    });
  });
});

describe('parseRange', () => {
  it.each([
    [undefined, undefined],
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=5-', { first: 5, last: 99 }],
    ['bytes=90-1000', { first: 90, last: 99 }],
    ['bytes=-10', { first: 90, last: 99 }],
    ['bytes=-1000', { first: 0, last: 99 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=9-5', undefined],
    ['bytes=0-1,5-6', undefined],
    ['bytes=-', undefined],
    ['lines=0-1', undefined],
  ])('reads %s of 100 bytes', (header, want) => {
    expect(parseRange(header, 100)).toEqual(want);
  });
});
