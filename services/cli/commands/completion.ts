/** Prints the completion script of a shell. */
import { allCommands } from '../catalogue/index.ts';
import type { Run } from '../command.ts';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { tableOf } from '../completion/table.ts';
import { zshScript } from '../completion/zsh.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export const printCompletion: Run = async ({ args, io }) => {
  const shell = (args[0] ?? 'bash') as keyof typeof SCRIPTS;
  io.out(SCRIPTS[shell](tableOf(await allCommands())));
  return undefined;
};
