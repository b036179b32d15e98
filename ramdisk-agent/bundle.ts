/** Makes the agent one file that a bare Node runs: no node_modules, no type stripping. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

export interface Bundle {
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/**
 * Loads Node's HTTP by `require`. An `import` of it reads every export, also the lazy one that brings in all of undici: that
 * doubles the agent's start, seconds on a slow machine.
 */
const requiredHttp: Plugin = {
  name: 'required-http',
  setup(bundler) {
    bundler.onResolve({ filter: /^node:https?$/ }, ({ path }) => ({ path, namespace: 'required' }));
    bundler.onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path.slice('node:'.length))});`,
    }));
  },
};

/** The agent that an installed package brings along, ready made: it has no bundler. */
const PREBUILT = fileURLToPath(new URL('./agent.mjs', import.meta.url));

/** Writes the bundle to `outFile` (an `.mjs`). The same sources give the same bytes. */
export async function bundleAgent({ outFile }: { outFile: string }): Promise<Bundle> {
  if (existsSync(PREBUILT)) await copyFile(PREBUILT, outFile);
  else await buildAgent(outFile);
  const bytes = await readFile(outFile);
  return { path: outFile, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function buildAgent(outFile: string): Promise<void> {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [fileURLToPath(new URL('./main.ts', import.meta.url))],
    outfile: outFile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifyWhitespace: true,
    legalComments: 'inline',
    logLevel: 'error',
    // ws asks for these native helpers and goes without them.
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
    plugins: [requiredHttp],
    external: ['bufferutil', 'utf-8-validate'],
    // ws is CommonJS: its `require` of Node's own modules needs one.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  });
}
