import { expect, test } from 'vitest';
import { qemuArguments } from './command-line.ts';
import { machineSpec } from './daemon.ts';
import { labConfig } from './lab.ts';

const { nodes } = labConfig({
  name: 'unit',
  stateDir: '/tmp/unit',
  nodes: [
    { name: 'bios-1', firmware: 'bios' },
    { name: 'uefi-1', firmware: 'uefi', memoryMb: 1024, mac: '52:54:00:AA:BB:CC' },
  ],
});
const bios = machineSpec(nodes[0]!, 0);
const uefi = machineSpec(nodes[1]!, 1);
const after = (args: readonly string[], option: string): string[] =>
  args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []));

test('a server is never given a kernel or an initrd', () => {
  for (const spec of [bios, uefi])
    for (const target of ['network', 'disk'] as const)
      expect(qemuArguments(spec, target)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^-(kernel|initrd|append)$/)]),
      );
});

test('BIOS: the card has its ROM, and there is no flash', () => {
  const args = qemuArguments(bios, 'disk');
  expect(after(args, '-device')[0]).toBe('virtio-net-pci,netdev=net0,id=nic0,mac=52:54:00:b5:00:01,bootindex=2');
  expect(after(args, '-drive')).toHaveLength(1);
});

test('UEFI: the card has no ROM, the code is shared and read-only, the variables are the server’s own', () => {
  const args = qemuArguments(uefi, 'network');
  expect(after(args, '-device')[0]).toBe(
    'virtio-net-pci,netdev=net0,id=nic0,mac=52:54:00:aa:bb:cc,bootindex=1,romfile=',
  );
  expect(after(args, '-drive').slice(1)).toEqual([
    'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd',
    'if=pflash,format=raw,file=uefi-vars.fd',
  ]);
  expect(after(args, '-m')).toEqual(['1024']);
});

test('serial numbers, and a comma in a name does not end an option', () => {
  const args = qemuArguments({ ...bios, serial: 'A,file=/etc/passwd' }, 'disk');
  expect(after(args, '-smbios')[0]).toContain('serial=A,,file=/etc/passwd,uuid=b3553e12-0000-4000-8000-525400b50001');
  expect(after(args, '-device')[1]).toContain('serial=disk-bios-1');
});
