/** What moves a node: provisioning, power, maintenance. */
import type { CommandSpec, OptionSpec } from '../command.ts';
import { from, NODES_ARGUMENT, option, pairs, WAIT } from './options.ts';

const provision = () => import('../commands/provision.ts');
const node = () => import('../commands/node.ts');

/** A verb of the life cycle that takes nodes and `--wait`. */
const verb = (name: string, run: string, summary: string, more: Partial<CommandSpec> = {}): CommandSpec => ({
  name: `node ${name}`,
  summary,
  arguments: [NODES_ARGUMENT],
  examples: [`baremetal node ${name} n1 --wait`],
  load: from(provision, run),
  ...more,
  options: [...(more.options ?? []), WAIT],
});

const steps = (kind: string): OptionSpec =>
  option(`--${kind}-steps <json>`, 'Steps: JSON, a file of JSON or YAML, or - for standard input', {
    excludes: ['runbook'],
  });
const RUNBOOK = option('--runbook <runbook>', 'Name or UUID of the runbook that has the steps', {
  excludes: ['disableRamdisk'],
});
const DISABLE_RAMDISK = option('--disable-ramdisk', 'Without booting the ramdisk');
const DEPLOYMENT: readonly OptionSpec[] = [
  option(
    '--config-drive <drive>',
    'JSON object, JSON file, folder, file with base64 of a gzipped image, or the URL of one',
  ),
  option('--deploy-steps <json>', 'Steps: JSON, a file of JSON or YAML, or - for standard input'),
  option('--playbook <file>', 'Playbook to run on the deployed node'),
  pairs('--variable', 'variable', 'Variable of the playbook'),
];
const POWER_TIMEOUT = option('--power-timeout <seconds>', 'Most seconds that the power order may take', {
  isInteger: true,
});
const SOFT = (what: string) => option('--soft', `Ask the operating system for ${what}`);

export const COMMANDS: readonly CommandSpec[] = [
  verb('manage', 'manageNode', 'Check that nodes can be controlled; they become manageable'),
  verb('provide', 'provideNode', 'Clean nodes and make them available'),
  verb('deploy', 'deployNode', 'Deploy an image to nodes', {
    options: DEPLOYMENT,
    examples: [
      'baremetal node deploy n1 --wait',
      "baremetal node deploy 'rack1-[01-40],-rack1-07' --wait 1800",
      'baremetal node deploy n1 --config-drive drive.json --playbook site.yml --variable role=web --wait 1800',
    ],
  }),
  verb('rebuild', 'rebuildNode', 'Deploy again to nodes that are active', { options: DEPLOYMENT }),
  verb('undeploy', 'undeployNode', 'Take the deployed system from nodes; they become available'),
  verb('clean', 'cleanNode', 'Run clean steps on manageable nodes', {
    options: [steps('clean'), RUNBOOK, DISABLE_RAMDISK],
    oneOf: ['cleanSteps', 'runbook'],
    examples: [
      `baremetal node clean n1 --clean-steps '[{"interface":"deploy","step":"erase_devices_metadata"}]' --wait`,
      'baremetal node clean n1 --runbook CUSTOM_BURN_IN --wait',
    ],
  }),
  verb('service', 'serviceNode', 'Run service steps on active nodes', {
    options: [steps('service'), RUNBOOK, DISABLE_RAMDISK],
    oneOf: ['serviceSteps', 'runbook'],
    examples: ['baremetal node service n1 --service-steps steps.yaml --wait'],
  }),
  verb('inspect', 'inspectNode', 'Look into the hardware of manageable nodes'),
  verb('adopt', 'adoptNode', 'Take over nodes that something else has deployed'),
  verb('abort', 'abortNode', 'Stop what nodes are doing'),
  verb('rescue', 'rescueNode', 'Boot a rescue ramdisk', {
    options: [option('--rescue-password <password>', 'Password of the rescue ramdisk', { isRequired: true })],
    examples: ['baremetal node rescue n1 --rescue-password ... --wait'],
  }),
  verb('unrescue', 'unrescueNode', 'Leave the rescue ramdisk'),
  verb('unhold', 'unholdNode', 'Let held nodes go on'),
  verb('retry', 'retryNode', 'Go on with a failed deployment or playbook at the step that failed'),
  {
    ...verb('configure', 'configureNode', 'Run a playbook on active nodes', {
      options: [pairs('--variable', 'variable', 'Variable of the playbook')],
    }),
    arguments: [NODES_ARGUMENT, { name: '<playbook>', help: 'File with the playbook' }],
    examples: ['baremetal node configure n1 site.yml --variable role=web --wait'],
  },
  verb('power on', 'powerOn', 'Power nodes on', { options: [POWER_TIMEOUT] }),
  verb('power off', 'powerOff', 'Power nodes off', { options: [SOFT('a shutdown'), POWER_TIMEOUT] }),
  verb('reboot', 'rebootNode', 'Reboot nodes', { options: [SOFT('a reboot'), POWER_TIMEOUT] }),
  {
    name: 'node maintenance set',
    summary: 'Put nodes into maintenance',
    arguments: [NODES_ARGUMENT],
    options: [option('--reason <reason>', 'Why')],
    load: from(node, 'setMaintenance'),
  },
  {
    name: 'node maintenance unset',
    summary: 'Take nodes out of maintenance',
    arguments: [NODES_ARGUMENT],
    load: from(node, 'unsetMaintenance'),
  },
];
