/** The target's runtime as it is sent: a first stage for the command line, and what that reads from the channel. */
import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';

/** In the order they start: each uses only those before it. */
const FILES = [
  'bsm_frames',
  'bsm_imports',
  'bsm_loop',
  'bsm_scratch',
  'bsm_modules',
  'bsm_accounts',
  'bsm_values',
  'bsm_play',
  'bsm_main',
];

/** What the runtime prints before its first frame: all before it is noise of the login shell. */
export const BANNER = 'BESSEMER-RUNTIME 1\n';

/**
 * Python, on one line, without double quotes, dollars and backquotes, so that a shell takes it between double quotes.
 * No bytecode is written, and a folder the login happens to stand in serves no imports.
 */
const FIRST_STAGE =
  'import sys;sys.dont_write_bytecode=True;sys.path[:]=[p for p in sys.path if p];import os,zlib;' +
  "i=os.fdopen(os.dup(0),'rb');o=os.dup(1);os.write(o,b'\\nBESSEMER-RUNTIME 1\\n');" +
  'exec(zlib.decompress(i.read(int(i.readline()))))';

export interface RuntimeBundle {
  /** A POSIX shell command that starts the first stage. `python` undefined: /usr/bin/python3, else the PATH's python3. */
  shellCommand(python?: string): string;
  /** To be written to the channel first. */
  readonly bytes: Uint8Array;
}

function sized(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${bytes.length}\n`), bytes]);
}

/** Single quotes around any text, for a POSIX shell. */
function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Reads the runtime's files. `folder` default: `runtime/` beside this service. */
export function loadRuntimeBundle(folder = new URL('../runtime/', import.meta.url)): RuntimeBundle {
  const source = (name: string) => readFileSync(new URL(`${name}.py`, folder), 'utf8');
  const bootSource = source('boot');
  const rest = JSON.stringify({
    files: FILES.map((name) => [name, source(name)]),
    firstStage: FIRST_STAGE,
    bootSource,
  });
  return {
    shellCommand(python) {
      const choose = python === undefined ? 'p=/usr/bin/python3; [ -x $p ] || p=python3' : `p=${shellQuote(python)}`;
      return `exec sh -c ${shellQuote(`${choose}; exec $p -c "${FIRST_STAGE.replaceAll('\\', '\\\\')}"`)}`;
    },
    bytes: Buffer.concat([sized(deflateSync(bootSource)), sized(deflateSync(rest))]),
  };
}
