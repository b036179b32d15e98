/** `baremetal` as it is packed: one file for its start and one for each part that only some commands need. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Writes `baremetal.mjs` and its parts to `outdir`. */
export async function bundleCli(outdir: string): Promise<void> {
  await build({
    entryPoints: { baremetal: fileURLToPath(new URL('./main.ts', import.meta.url)) },
    outdir,
    outExtension: { '.js': '.mjs' },
    // A start reads what its command needs, and no more.
    chunkNames: 'baremetal/[name]-[hash]',
    splitting: true,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    logLevel: 'error',
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  });
}
