/** Every command of the program. A group is loaded when a command of it is called: the help of one must not cost the start of all. */
import type { CommandSpec } from '../command.ts';

type Load = () => Promise<{ readonly COMMANDS: readonly CommandSpec[] }>;

const general: Load = () => import('./general.ts');
/** By the first word of the command, in the order of the help. */
const GROUPS: Readonly<Record<string, readonly Load[]>> = {
  node: [() => import('./node.ts'), () => import('./node-life-cycle.ts'), () => import('./node-parts.ts')],
  port: [() => import('./port.ts'), () => import('./port-group.ts')],
  chassis: [() => import('./chassis.ts')],
  driver: [() => import('./driver.ts')],
  conductor: [() => import('./conductor.ts')],
  allocation: [() => import('./allocation.ts')],
  deploy: [() => import('./deploy-template.ts')],
  runbook: [() => import('./runbook.ts')],
  inspection: [() => import('./inspection-rule.ts')],
  volume: [() => import('./volume.ts')],
  shard: [() => import('./shard.ts')],
  token: [() => import('./token.ts')],
  webhook: [() => import('./webhook.ts')],
  create: [general],
  unknown: [general],
  completion: [general],
  complete: [general],
  man: [general],
};

const LONGEST_NAME = 4;

async function loaded(loads: readonly Load[]): Promise<readonly CommandSpec[]> {
  return (await Promise.all(loads.map((load) => load()))).flatMap((group) => group.COMMANDS);
}

/** All commands, group by group. */
export const allCommands = (): Promise<readonly CommandSpec[]> => loaded([...new Set(Object.values(GROUPS).flat())]);

/**
 * The command that the words begin with, and how many of them are its name. Words may be cut short as long as only one command
 * is meant.
 */
export async function findCommand(
  words: readonly string[],
): Promise<{ readonly command: CommandSpec; readonly length: number } | undefined> {
  const most = Math.min(LONGEST_NAME, words.length);
  const group = Object.hasOwn(GROUPS, words[0] ?? '') ? await loaded(GROUPS[words[0]!]!) : [];
  for (let length = most; length > 0; length--) {
    const name = words.slice(0, length).join(' ');
    const command = group.find((c) => c.name === name);
    if (command) return { command, length };
  }
  const all = await allCommands();
  for (let length = 1; length <= most; length++) {
    const near = all.filter((c) => {
      const own = c.name.split(' ');
      return own.length === length && own.every((word, i) => word.startsWith(words[i]!) && words[i] !== '');
    });
    if (near.length === 1) return { command: near[0]!, length };
  }
  return undefined;
}
