export type ImageErrorCode =
  | 'CHECKSUM_MISMATCH'
  | 'NOT_FOUND'
  | 'FORBIDDEN_SOURCE'
  | 'UNSUPPORTED_FORMAT'
  | 'CORRUPT'
  | 'TOO_LARGE'
  | 'NO_SPACE'
  | 'UNREACHABLE';

/** Why an image cannot be had. The message is for an operator: what was wrong, where, what to do. */
export class ImageError extends Error {
  readonly code: ImageErrorCode;
  constructor(code: ImageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ImageError';
    this.code = code;
  }
}

/** The system's code of an error (`ENOSPC`), or an empty string. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** A failure to write below the data directory, told as what it means. Other errors come back as they are. */
export function explainWriteError(error: unknown, where: string): unknown {
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ImageError(
      'NO_SPACE',
      `no space left for images in ${where}: free some, or lower the size of the store`,
      { cause: error },
    );
  if (code === 'EFBIG')
    return new ImageError('TOO_LARGE', `the image is larger than a file in ${where} may be`, { cause: error });
  return error;
}
