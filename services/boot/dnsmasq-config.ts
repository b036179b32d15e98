/** dnsmasq's configuration: static, and the same for every node of an architecture. Pure. */
import type { CheckedNetwork } from './network.ts';

/** File names below the TFTP root, by what the firmware says it is (RFC 4578 section 2.1, IANA's processor architectures). */
export interface BootPrograms {
  /** Architecture 0: BIOS. */
  readonly bios: string;
  /** Architectures 7 and 9: UEFI x86-64; 16 is the same by HTTP. */
  readonly uefiX64: string;
  /** Architectures 11 and 19: UEFI on 64-bit ARM. Without it such machines are told no file. */
  readonly uefiArm64?: string;
}

export interface DnsmasqOptions {
  readonly network: CheckedNetwork;
  readonly programs: BootPrograms;
  /** What iPXE chains to. */
  readonly scriptUrl: string;
  /** Folder URL for UEFI HTTP boot, ending in a slash. */
  readonly programsUrl: string;
  readonly leaseFile: string;
}

/** The whole file. `own` and `proxy` only: without DHCP no dnsmasq runs. */
export function renderDnsmasqConfig({ network, programs, scriptUrl, programsUrl, leaseFile }: DnsmasqOptions): string {
  const common = [
    '# No DNS; TFTP is not its either.',
    'port=0',
    `interface=${network.interface}`,
    'except-interface=lo',
    'bind-dynamic',
    'no-resolv',
    'no-hosts',
    '# To stderr, from where boot reads it.',
    'log-facility=-',
    'log-dhcp',
    'pid-file=',
    '# Another user or group would clear the order to die with the parent (prctl(2), PR_SET_PDEATHSIG).',
    'user=root',
    'group=root',
    '# Option 175 is iPXE itself: firmware gets a program, iPXE a script.',
    'dhcp-match=set:ipxe,175',
  ];
  const lines = network.dhcp === 'own' ? ownLines() : proxyLines();
  return `${[...common, ...lines].join('\n')}\n`;

  function ownLines(): string[] {
    const { range } = network;
    if (!range) throw new Error('own DHCP without a range');
    const boot = (tag: string, file: string) => `dhcp-boot=tag:!ipxe,tag:${tag},${file},,${network.address}`;
    return [
      `dhcp-range=${range.first},${range.last},${network.netmask},${network.leaseSeconds}s`,
      `dhcp-lease-max=${range.count}`,
      `dhcp-leasefile=${leaseFile}`,
      'dhcp-authoritative',
      '# Firmware, ramdisk and deployed system send different client ids from one port: it keeps one address.',
      'dhcp-ignore-clid',
      '# An address of ours is never used by others: the echo before an offer would only cost time.',
      'no-ping',
      network.router ? `dhcp-option=option:router,${network.router}` : 'dhcp-option=option:router',
      'dhcp-match=set:bios,option:client-arch,0',
      'dhcp-match=set:efi64,option:client-arch,7',
      'dhcp-match=set:efi64,option:client-arch,9',
      'dhcp-match=set:efihttp,option:client-arch,16',
      `dhcp-boot=tag:ipxe,${scriptUrl}`,
      boot('bios', programs.bios),
      boot('efi64', programs.uefiX64),
      ...(programs.uefiArm64
        ? [
            'dhcp-match=set:efiarm64,option:client-arch,11',
            boot('efiarm64', programs.uefiArm64),
            'dhcp-match=set:efiarmhttp,option:client-arch,19',
            'dhcp-option-force=tag:efiarmhttp,60,HTTPClient',
            `dhcp-boot=tag:!ipxe,tag:efiarmhttp,${programsUrl}${programs.uefiArm64}`,
          ]
        : []),
      '# UEFI HTTP boot takes an answer only from an HTTPClient (UEFI 2.10 section 24.7.3.1).',
      'dhcp-option-force=tag:efihttp,60,HTTPClient',
      `dhcp-boot=tag:!ipxe,tag:efihttp,${programsUrl}${programs.uefiX64}`,
      '# iPXE: no proxyDHCP here, do not wait for its offer.',
      'dhcp-option-force=encap:175,176,1b',
    ];
  }

  function proxyLines(): string[] {
    const service = (tag: string, csa: string, label: string, file: string) =>
      `pxe-service=tag:${tag},${csa},"${label}",${file}`;
    const firmware = (csa: string, file: string) => `${service('!ipxe', csa, 'iPXE', file)},${network.address}`;
    return [
      `dhcp-range=${network.netAddress},proxy,${network.netmask}`,
      firmware('x86PC', programs.bios),
      firmware('X86-64_EFI', programs.uefiX64),
      ...(programs.uefiArm64 ? [firmware('ARM64_EFI', programs.uefiArm64)] : []),
      '# As pxe-service, not dhcp-boot: a BIOS ROM that is an iPXE asks on port 4011 and wants a boot server there.',
      service('ipxe', 'x86PC', 'script', scriptUrl),
      service('ipxe', 'X86-64_EFI', 'script', scriptUrl),
      ...(programs.uefiArm64 ? [service('ipxe', 'ARM64_EFI', 'script', scriptUrl)] : []),
    ];
  }
}
