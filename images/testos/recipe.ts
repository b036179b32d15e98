/** What is in the test operating system. */

export type TestImageVariant = 'small' | 'cloud';

const COMMON: readonly string[] = [
  'e2fsprogs',
  'dbus',
  'iproute2',
  'kmod',
  'linux-image-cloud-amd64',
  'openssh-server',
  'python3',
  'sudo',
  'systemd-sysv',
  'udev',
  'util-linux',
];

export const PACKAGES: Record<TestImageVariant, readonly string[]> = {
  small: COMMON,
  cloud: [...COMMON, 'cloud-init'],
};

/** Drivers that stay in the image: the lab's disks, cards and file systems, and the ACPI power button. */
export const MODULES: readonly string[] =
  `virtio_pci virtio_net virtio_blk virtio_scsi virtio_rng sd_mod sr_mod nvme af_packet
  ext4 crc32c_generic vfat nls_cp437 nls_ascii nls_iso8859-1 isofs loop overlay efivarfs qemu_fw_cfg button evdev`
    .trim()
    .split(/\s+/);

/** Drivers that the initramfs loads before there is a root file system, in this order with what they depend on. */
export const INITRAMFS_MODULES: readonly string[] = [
  'virtio_pci',
  'virtio_blk',
  'virtio_scsi',
  'sd_mod',
  'nvme',
  'ext4',
];

/** Units that cost seconds under emulation and do nothing for a test machine. */
export const MASKED_UNITS: readonly string[] =
  `apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
  systemd-networkd-wait-online.service systemd-network-generator.service getty@tty1.service serial-getty@ttyS0.service
  systemd-firstboot.service systemd-journal-flush.service systemd-update-utmp.service systemd-pstore.service
  systemd-binfmt.service systemd-modules-load.service systemd-random-seed.service systemd-udev-settle.service
  systemd-hostnamed.service systemd-sysusers.service systemd-update-utmp-runlevel.service systemd-tmpfiles-clean.timer systemd-hwdb-update.service kmod-static-nodes.service
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount
  modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service
  modprobe@loop.service`
    .trim()
    .split(/\s+/);

/** systemd starts each of these before it starts anything else; none finds something to do here. */
export const MASKED_GENERATORS: readonly string[] =
  `systemd-bless-boot-generator systemd-cryptsetup-generator systemd-getty-generator systemd-gpt-auto-generator
  systemd-hibernate-resume-generator systemd-integritysetup-generator systemd-rc-local-generator systemd-run-generator
  systemd-system-update-generator systemd-sysv-generator systemd-veritysetup-generator`
    .trim()
    .split(/\s+/);

/** Folders that nothing on a test machine reads. Compiled Python (`__pycache__`) stays: without it the first login waits. */
export const REMOVED: readonly string[] = [
  'usr/lib/udev/hwdb.d',
  'usr/lib/x86_64-linux-gnu/gconv',
  'usr/lib/x86_64-linux-gnu/perl-base/unicore',
  'usr/share/bash-completion',
  'usr/share/common-licenses',
  'usr/share/doc',
  'usr/share/initramfs-tools',
  'usr/share/lintian',
  'usr/share/man',
  'usr/share/zoneinfo',
  'var/cache/apt',
  'var/lib/apt/lists',
];
