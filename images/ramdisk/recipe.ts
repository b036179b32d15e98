/** What is in the deploy ramdisk. */

export type RamdiskVariant = 'lab' | 'product';

/** The cloud kernel is small and starts quickly, and has no driver for real hardware: lab and CI only. */
export const KERNEL_PACKAGE: Record<RamdiskVariant, string> = {
  lab: 'linux-image-cloud-amd64',
  product: 'linux-image-amd64',
};

export const PACKAGES: readonly string[] = [
  'busybox-static',
  'dmidecode',
  'efibootmgr',
  'fdisk',
  'kmod',
  'libstdc++6',
  'util-linux',
];

/** Programs beside busybox's, looked for in the usual folders of the unpacked packages. */
export const TOOLS: readonly string[] = [
  'blkdiscard',
  'blkid',
  'blockdev',
  'dmidecode',
  'efibootmgr',
  'lsblk',
  'partx',
  'sfdisk',
  'wipefs',
];

/** Names under which busybox is called. Those of TOOLS are util-linux's own. */
export const BUSYBOX_APPLETS: readonly string[] =
  `awk basename cat chmod chroot cp cut date dd df dirname dmesg echo env expr false find free grep halt head hexdump hostname
  ifconfig insmod ip kill ln losetup ls lsmod mkdir mknod mktemp modprobe mount mv nc ping poweroff printf ps pwd readlink
  reboot rm rmdir route sed seq setsid sh sha256sum sleep sort stat stty sync tail tar tee test tftp top touch tr true udhcpc
  umount uname uniq uptime vi wc wget xargs`
    .trim()
    .split(/\s+/);

/**
 * Drivers, each with what it depends on. One list for both kernels: what a kernel does not have is left out of its ramdisk
 * (the cloud kernel lacks most storage and network drivers of real servers).
 */
export const MODULES: readonly string[] = `virtio_pci virtio_net virtio_blk virtio_scsi virtio_rng qemu_fw_cfg
  nvme ahci ata_piix sd_mod sr_mod usb_storage uas xhci_pci ehci_pci uhci_hcd usbhid hid_generic
  e1000 e1000e igb igc ixgbe i40e ice bnxt_en bnx2x mlx4_en mlx5_core tg3 r8169 qede sfc af_packet
  megaraid_sas mpt3sas aacraid smartpqi hpsa iscsi_tcp
  ext4 xfs btrfs vfat nls_cp437 nls_ascii nls_iso8859-1 isofs squashfs loop overlay crc32c_generic
  raid0 raid1 raid10 raid456 dm_mod dm_crypt bonding 8021q ipmi_si ipmi_devintf ipmi_ssif efivarfs`
  .trim()
  .split(/\s+/);

/** Without these the ramdisk is of no use: a kernel that has them neither built in nor as a module is refused. */
export const REQUIRED_MODULES: readonly string[] = [
  'virtio_pci',
  'virtio_net',
  'virtio_blk',
  'nvme',
  'sd_mod',
  'efivarfs',
  'vfat',
];

/** The compressed ramdisk at zstd-19, kernel apart. */
export const BUDGET_BYTES: Record<RamdiskVariant, number> = { lab: 45_000_000, product: 60_000_000 };
