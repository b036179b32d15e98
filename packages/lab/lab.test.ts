import { silentLog } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { expect, test } from 'vitest';
import { createLab, labConfig, openLab } from './lab.ts';
import { networkPlan } from './network.ts';

const base = { name: 'unit', stateDir: '/tmp/bmr-unit-none' };
const node = { name: 'n1', firmware: 'bios' } as const;

test('decides addresses, cards and sizes', () => {
  const { namespace, nodes } = labConfig({ ...base, nodes: [node, { ...node, name: 'n2', diskGb: 4 }] });
  expect(namespace).toBe('bmr-unit');
  expect(nodes.map(({ mac, bmcAddress, memoryMb, diskGb }) => [mac, bmcAddress, memoryMb, diskGb])).toEqual([
    ['52:54:00:b5:00:01', '198.51.100.201', 1536, 8],
    ['52:54:00:b5:00:02', '198.51.100.202', 1536, 4],
  ]);
});

test('refuses what cannot be, and says what', () => {
  const nodes = [node];
  expect(() => labConfig({ ...base, name: 'a/b', nodes })).toThrow('lab name "a/b"');
  expect(() => labConfig({ ...base, nodes: [{ ...node, name: '../x' }] })).toThrow('server name "../x"');
  expect(() => labConfig({ ...base, nodes: [node, node] })).toThrow('two servers are named "n1"');
  expect(() => labConfig({ ...base, nodes: [{ ...node, mac: '52:54' }] })).toThrow('"52:54" is no MAC address');
  expect(() => labConfig({ ...base, stateDir: `/tmp/${'x'.repeat(120)}`, nodes })).toThrow('too long');
  const many = Array.from({ length: 51 }, (_, index) => ({ ...node, name: `n${index}` }));
  expect(() => labConfig({ ...base, nodes: many })).toThrow('at most 50');
});

test('the network has one tap and one BMC address per server, all inside the namespace', () => {
  const plan = networkPlan('bmr-unit', 2).map((command) => command.join(' '));
  expect(plan[0]).toBe('ip netns add bmr-unit');
  expect(plan.slice(1).every((command) => command.startsWith('ip -n bmr-unit '))).toBe(true);
  expect(plan).toContain('ip -n bmr-unit addr add 198.51.100.202/24 dev br0');
  expect(plan).toContain('ip -n bmr-unit link set tap1 master br0 up');
});

test('taking away a lab that never was does nothing', async () => {
  expect(openLab({ stateDir: base.stateDir, clock: systemClock, log: silentLog })).toBeUndefined();
  const lab = createLab({ ...base, nodes: [node], clock: systemClock, log: silentLog });
  await lab.down();
  await expect(lab.status()).rejects.toThrow('the lab does not answer');
});
