import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderDnsmasqConfig } from './dnsmasq-config.ts';
import { createDhcpLogReader, parseLeaseFile } from './dnsmasq-log.ts';
import { checkNetwork } from './network.ts';

const MAC = '52:54:00:00:00:01';

function config(change: object, programs: object = {}): string[] {
  const result = checkNetwork({
    name: 'p',
    interface: 'br0',
    address: '198.51.100.1',
    cidr: '198.51.100.0/24',
    dhcp: 'own',
    dhcpRange: '198.51.100.100,198.51.100.199',
    ...change,
  });
  if (!result.ok) throw new Error(result.problems.join());
  return renderDnsmasqConfig({
    network: result.network,
    programs: { bios: 'undionly.kpxe', uefiX64: 'snponly.efi', ...programs },
    scriptUrl: 'http://198.51.100.1:8080/boot/boot.ipxe',
    programsUrl: 'http://198.51.100.1:8080/boot/programs/',
    leaseFile: '/data/leases',
  }).split('\n');
}

describe('the configuration of dnsmasq', () => {
  it('does DHCP alone, on the one interface, and can die with its parent', () => {
    const lines = config({});
    for (const line of ['port=0', 'interface=br0', 'except-interface=lo', 'bind-dynamic', 'user=root', 'group=root'])
      expect(lines).toContain(line);
    expect(lines.some((line) => line.startsWith('enable-tftp'))).toBe(false);
  });

  it('gives addresses that do not depend on the client id', () => {
    const lines = config({ leaseSeconds: 600 });
    expect(lines).toContain('dhcp-range=198.51.100.100,198.51.100.199,255.255.255.0,600s');
    expect(lines).toContain('dhcp-lease-max=100');
    expect(lines).toContain('dhcp-ignore-clid');
    expect(lines).toContain('dhcp-leasefile=/data/leases');
  });

  it('tells a router only when there is one', () => {
    expect(config({})).toContain('dhcp-option=option:router');
    expect(config({ router: '198.51.100.254' })).toContain('dhcp-option=option:router,198.51.100.254');
  });

  it('has a row per architecture, for 64-bit ARM only with a program for it', () => {
    expect(config({})).toContain('dhcp-boot=tag:!ipxe,tag:efi64,snponly.efi,,198.51.100.1');
    expect(config({}).some((line) => line.includes('arm'))).toBe(false);
    expect(config({}, { uefiArm64: 'arm.efi' })).toContain('dhcp-boot=tag:!ipxe,tag:efiarm64,arm.efi,,198.51.100.1');
  });

  it('gives no address beside another server', () => {
    const lines = config({ dhcp: 'proxy' });
    expect(lines).toContain('dhcp-range=198.51.100.0,proxy,255.255.255.0');
    expect(lines.filter((line) => line.startsWith('dhcp-boot'))).toEqual([]);
    expect(lines).toContain('pxe-service=tag:ipxe,x86PC,"script",http://198.51.100.1:8080/boot/boot.ipxe');
  });
});

describe('the log of dnsmasq', () => {
  const read = (lines: readonly string[]) => {
    const reader = createDhcpLogReader();
    return lines.map((line) => reader(line)).filter((event) => event !== undefined);
  };

  it('becomes events with architecture and stage', () => {
    const firmware = { mac: MAC, arch: 7, stage: 'firmware' };
    expect(
      read([
        'dnsmasq-dhcp[99]: DHCP, sockets bound exclusively to interface br0',
        'dnsmasq-dhcp[99]: 4009 available DHCP range: 198.51.100.100 -- 198.51.100.199',
        'dnsmasq-dhcp[99]: 4009 vendor class: PXEClient:Arch:00007:UNDI:003016',
        'dnsmasq-dhcp[99]: 4009 DHCPDISCOVER(br0) 52:54:00:00:00:01 ',
        'dnsmasq-dhcp[99]: 4009 tags: efi64, br0',
        'dnsmasq-dhcp[99]: 4009 DHCPOFFER(br0) 198.51.100.135 52:54:00:00:00:01 ',
        'dnsmasq-dhcp[99]: 77 vendor class: udhcp 1.35.0',
        'dnsmasq-dhcp[99]: 77 DHCPREQUEST(br0) 198.51.100.136 52:54:00:00:00:02 ',
        'dnsmasq-dhcp[99]: 4009 DHCPACK(br0) 198.51.100.135 52:54:00:00:00:01 host',
      ]),
    ).toEqual([
      { message: 'discover', ...firmware },
      { message: 'offer', address: '198.51.100.135', ...firmware },
      { message: 'request', address: '198.51.100.136', mac: '52:54:00:00:00:02' },
      { message: 'ack', address: '198.51.100.135', ...firmware },
    ]);
  });

  it('tells iPXE from firmware, and the answers of a proxy', () => {
    expect(
      read([
        'dnsmasq-dhcp: 5 vendor class: PXEClient:Arch:00000:UNDI:002001',
        'dnsmasq-dhcp: 5 user class: iPXE',
        'dnsmasq-dhcp: 5 PXE(br0) 52:54:00:00:00:01 proxy',
      ]),
    ).toEqual([{ message: 'proxy', mac: MAC, arch: 0, stage: 'ipxe' }]);
  });

  it('is read without a throw whatever a client put into it', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => void createDhcpLogReader()(`dnsmasq-dhcp: 1 ${text}`)),
    );
    // A vendor class cannot pass for a message: dnsmasq prints its own words before it.
    expect(read(['dnsmasq-dhcp: 1 vendor class: DHCPACK(br0) 198.51.100.9 52:54:00:00:00:09'])).toEqual([]);
  });
});

it('reads the lease file, and passes over what is none', () => {
  const text = `1763680000 52:54:00:AA:00:01 198.51.100.11 * *\nduid 00:01\n\nx\n0 52:54:00:00:00:02 198.51.100.12 h ff:1\n`;
  expect([...parseLeaseFile(text)]).toEqual([
    ['198.51.100.11', '52:54:00:aa:00:01'],
    ['198.51.100.12', '52:54:00:00:00:02'],
  ]);
});
