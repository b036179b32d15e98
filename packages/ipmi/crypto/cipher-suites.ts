/** The cipher suites spoken here (IPMI v2.0 section 22.15.2, table 22-20; suite 17 by its errata 7). */
import type { SuiteAlgorithms } from '../codec/rakp-messages.ts';

/** 3: RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128. 17: RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128. */
export type CipherSuiteId = 3 | 17;

export interface CipherSuite extends SuiteAlgorithms {
  readonly id: CipherSuiteId;
  readonly hash: 'sha1' | 'sha256';
  /** Length of a RAKP key exchange authentication code. */
  readonly authCodeBytes: number;
  /** Length of the RAKP 4 integrity check and of each packet's AuthCode. */
  readonly integrityBytes: number;
}

/** Suites 0 to 2 are not here on purpose: 0 checks no password, 1 and 2 send what is said in clear. */
export const CIPHER_SUITES: Readonly<Record<CipherSuiteId, CipherSuite>> = {
  3: {
    id: 3,
    hash: 'sha1',
    authentication: 0x01,
    integrity: 0x01,
    confidentiality: 0x01,
    authCodeBytes: 20,
    integrityBytes: 12,
  },
  17: {
    id: 17,
    hash: 'sha256',
    authentication: 0x03,
    integrity: 0x04,
    confidentiality: 0x01,
    authCodeBytes: 32,
    integrityBytes: 16,
  },
};

/** The suite made of these three algorithms, if it is one spoken here. */
export function suiteOfAlgorithms(algorithms: SuiteAlgorithms): CipherSuite | undefined {
  return Object.values(CIPHER_SUITES).find(
    (suite) =>
      suite.authentication === algorithms.authentication &&
      suite.integrity === algorithms.integrity &&
      suite.confidentiality === algorithms.confidentiality,
  );
}
