/** Commands of no single resource. */
import type { CommandSpec } from '../command.ts';
import { from } from './options.ts';

const completion = () => import('../commands/completion.ts');
const shells = ['bash', 'zsh', 'fish'];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'create',
    summary: 'Register chassis, nodes, port groups and ports from files',
    arguments: [{ name: '<file...>', help: 'Files (.json, .yaml or .yml)' }],
    examples: ['baremetal create rack1.yaml'],
    load: from(() => import('../commands/create.ts'), 'createFromFiles'),
  },
  {
    name: 'unknown list',
    summary: 'List machines that asked to boot and that nobody registered',
    shows: 'list',
    load: from(() => import('../commands/status.ts'), 'unknownMachines'),
  },
  {
    name: 'completion',
    summary: 'Print the completion script of a shell',
    arguments: [{ name: '<shell>', help: 'Shell', choices: shells }],
    examples: [
      'source <(baremetal completion bash)',
      'baremetal completion zsh > "${fpath[1]}/_baremetal"',
      'baremetal completion fish > ~/.config/fish/completions/baremetal.fish',
    ],
    isLocal: true,
    load: from(completion, 'printCompletion'),
  },
  {
    name: 'complete',
    summary: 'Print the completion script of bash, as other clients of OpenStack do',
    isLocal: true,
    load: from(completion, 'printCompletion'),
  },
  {
    name: 'man',
    summary: 'Print the manual page',
    examples: ['baremetal man | man -l -'],
    isLocal: true,
    load: from(() => import('../commands/man.ts'), 'printManual'),
  },
];
