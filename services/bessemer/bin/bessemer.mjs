#!/usr/bin/env -S node --max-semi-space-size=8 --heap-growing-percent=70
// Starts the program under the Node 24 that the project brings along, whichever Node ran this file.
// Less room for new objects than V8 takes by default, and less garbage before it looks for what lives: half of the memory under
// load, for a tenth more time on the largest lists.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';

/** The npx that started this, if one did, some shells above. */
function npxAbove() {
  if (process.env.npm_command !== 'exec' || !existsSync('/proc/self/stat')) return undefined;
  try {
    for (let pid = process.ppid, steps = 0; pid > 1 && steps < 4; steps++) {
      if (/^npm exec\b/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))) return pid;
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    }
  } catch {
    // It ended while it was looked for.
  }
  return undefined;
}

// Whoever ends npx means the program, and npx tells only the shell between them.
const npx = npxAbove();
if (npx !== undefined)
  setInterval(() => {
    if (!existsSync(`/proc/${npx}`)) process.kill(process.pid, 'SIGTERM');
  }, 100).unref();

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
