/** What instance_info says about the image, read and checked. */
import type { Json, Node } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import { parseExpectedDigest } from '@bessemer/image-format';
import type { ImageRequest } from '../ports.ts';

function textOf(name: string, value: Json | undefined): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string')
    throw new ServiceError('INVALID_PARAMETER', `instance_info/${name} must be text, not ${JSON.stringify(value)}.`);
  return value;
}

/**
 * Reads image_source, image_checksum or image_os_hash_algo with image_os_hash_value, and image_disk_format.
 * @throws MISSING_PARAMETER without a source or without a digest; INVALID_PARAMETER for values of the wrong form.
 */
export function imageRequestOf(node: Pick<Node, 'uuid' | 'instanceInfo'>): ImageRequest {
  const info = node.instanceInfo;
  const source = textOf('image_source', info['image_source']);
  if (source === null)
    throw new ServiceError(
      'MISSING_PARAMETER',
      `Cannot validate image information for node ${node.uuid} because one or more parameters are missing from its instance_info. Missing are: ['image_source']`,
    );
  const diskFormat = textOf('image_disk_format', info['image_disk_format']);
  const hashAlgorithm = textOf('image_os_hash_algo', info['image_os_hash_algo']);
  const hashValue = textOf('image_os_hash_value', info['image_os_hash_value']);
  const checksum = textOf('image_checksum', info['image_checksum']);
  if ((hashAlgorithm === null) !== (hashValue === null))
    throw new ServiceError(
      'MISSING_PARAMETER',
      'instance_info/image_os_hash_algo and instance_info/image_os_hash_value belong together: one of them is missing.',
    );
  const digest = hashValue ?? checksum;
  if (digest === null)
    throw new ServiceError(
      'MISSING_PARAMETER',
      `Cannot validate image information for node ${node.uuid} because one or more parameters are missing from its instance_info. Missing are: ['image_checksum' or 'image_os_hash_algo' and 'image_os_hash_value']`,
    );
  const expected = parseExpectedDigest(digest, hashAlgorithm ?? undefined);
  if (!expected.ok) throw new ServiceError('INVALID_PARAMETER', `instance_info: ${expected.error.message}.`);
  return { source, diskFormat, checksum: expected.value };
}
