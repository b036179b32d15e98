/** Block maps, GUID partition tables, config drives and digests: what depot and agent have in common. Pure; no IO. */
export type { FormatError, Result, SectorWrite } from './result.ts';
export {
  type BlockMap,
  EXTENT_ALIGN_BYTES,
  type Extent,
  MAX_BLOCK_MAP_JSON_BYTES,
  MAX_EXTENT_BYTES,
  makeBlockMap,
  paddedSizeBytes,
  parseBlockMap,
  type SectorSizeBytes,
  usedBytes,
} from './block-map.ts';
export {
  createDigest,
  type Digest,
  type DigestAlgorithm,
  digestOf,
  type ExpectedDigest,
  equalInConstantTime,
  parseExpectedDigest,
} from './digest.ts';
export {
  addPartition,
  createGpt,
  detectSectorSize,
  GPT_HEAD_BYTES,
  type Gpt,
  type GptChange,
  type GptPartition,
  guidFromBytes,
  guidToBytes,
  type NewPartition,
  parseGpt,
  relocateBackup,
} from './gpt.ts';
export {
  buildConfigDrive,
  CONFIG_DRIVE_LABEL,
  type ConfigDrive,
  configDriveTextOf,
  isConfigDriveUrl,
  type JsonObject,
  type JsonValue,
  MAX_CONFIG_DRIVE_BYTES,
  parseConfigDriveInput,
  readConfigDrive,
} from './config-drive.ts';
export { type DriveAccess, mergeForAccess, SERVICE_KEY_NAME } from './config-drive-access.ts';
export { type IsoContents, readIso9660 } from './iso9660-read.ts';
export type { IsoFile } from './iso9660-layout.ts';
