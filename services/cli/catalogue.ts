/** Every command: its name, what it takes, and where its code is. */
import type { CommandSpec, OptionSpec, Run } from './command.ts';
import {
  CHASSIS_LONG_FIELDS,
  CONDUCTOR_LONG_FIELDS,
  DRIVER_LONG_FIELDS,
  INTERFACES,
  NODE_ALL_FIELDS,
  PORT_ALL_FIELDS,
} from './commands/fields.ts';

const node = { name: '<node>', help: 'Name or UUID of the node' } as const;
const option = (flags: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec => ({ flags, help, ...more });
const pairs = (flag: string, help: string): OptionSpec =>
  option(`${flag} <key=value>`, `${help} (repeat for more)`, { isRepeated: true });
const keys = (flag: string, help: string): OptionSpec =>
  option(`${flag} <key>`, `${help} (repeat for more)`, { isRepeated: true });
const fields = (choices: readonly string[]): OptionSpec =>
  option('--fields <field...>', 'Fetch and show only these fields', { isRepeated: true, choices });
const WAIT = option('--wait [seconds]', 'Wait for the end, this long at most; 0 or nothing: without end', {
  isInteger: true,
});
const page = (what: string): OptionSpec[] => [
  option('--limit <limit>', 'Most entries to show; 0: all. Without it: one page of the service', { isInteger: true }),
  option('--marker <id>', `Show what comes after this ${what}`),
  option('--sort <key[:direction]>', 'Sort by fields, asc or desc; separate several by commas'),
];
const long = (choices: readonly string[]): OptionSpec[] => [
  option('--long', 'Show all fields', { excludes: ['fields'] }),
  fields(choices),
];
const DISPLAY_FIELDS = { network: 'Network interface', bios: 'BIOS interface', raid: 'RAID interface' } as Readonly<
  Record<string, string>
>;
const interfaceName = (name: string): string => DISPLAY_FIELDS[name] ?? `${name} interface`;

const CREATE_AND_SET: readonly OptionSpec[] = [
  option('--chassis-uuid <chassis>', 'UUID of the chassis that the node stands in'),
  option('--name <name>', 'Unique name'),
  option('--resource-class <class>', 'Resource class for scheduling'),
  option('--conductor-group <group>', 'Group of conductors that may serve it'),
  option('--owner <owner>', 'Owner'),
  option('--lessee <lessee>', 'Lessee'),
  option('--description <text>', 'Description'),
  option('--shard <shard>', 'Shard'),
  option('--parent-node <node>', 'Parent node'),
  option('--instance-name <name>', 'Name of the instance'),
  option('--network-data <json>', 'Static network configuration: JSON, a file, or - for standard input'),
  option('--automated-clean', 'Clean automatically'),
  option('--no-automated-clean', 'Do not clean automatically'),
  pairs('--driver-info', "The driver's settings, such as the BMC's address"),
  pairs('--property', 'Property of the hardware'),
  pairs('--extra', 'Anything to be remembered'),
  pairs('--instance-info', 'What is to be deployed, such as image_source'),
];

type Module = Readonly<Record<string, unknown>>;
/** A command's function from a module that is loaded only now. */
const from = (load: () => Promise<Module>, name: string) => async (): Promise<Run> => (await load())[name] as Run;
const nodeModule = () => import('./commands/node.ts');
const provision = () => import('./commands/provision.ts');
const small = () => import('./commands/small.ts');
const events = () => import('./commands/events.ts');

/** A verb of the life cycle that takes a node and `--wait`. */
const verb = (name: string, run: string, summary: string, more: Partial<CommandSpec> = {}): CommandSpec => ({
  name: `node ${name}`,
  summary,
  arguments: [node],
  examples: [`baremetal node ${name} n1 --wait`],
  load: from(provision, run),
  ...more,
  options: [...(more.options ?? []), WAIT],
});

const CONFIG_DRIVE = option(
  '--config-drive <drive>',
  'JSON object, JSON file, folder, or file with base64 of a gzipped image',
);
const DEPLOY_STEPS = option('--deploy-steps <json>', 'Steps: JSON, a file, or - for standard input');
const PLAYBOOK = option('--playbook <file>', 'Playbook to run on the deployed node');
const VARIABLE = pairs('--variable', 'Variable of the playbook');
const POWER_TIMEOUT = option('--power-timeout <seconds>', 'Most seconds that the power order may take', {
  isInteger: true,
});
const SOFT = (what: string) => option('--soft', `Ask the operating system for ${what}`);

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'node create',
    summary: 'Register a node',
    options: [
      option('--driver <driver>', 'Driver that controls the node', { isRequired: true }),
      option('--uuid <uuid>', 'Its UUID; made when missing'),
      ...CREATE_AND_SET,
      ...[...INTERFACES, 'firmware'].map((i) => option(`--${i}-interface <name>`, `Its ${interfaceName(i)}`)),
    ],
    examples: [
      'baremetal node create --driver ipmi --name n1 --driver-info ipmi_address=10.0.0.11 --driver-info ipmi_username=admin --driver-info ipmi_password=...',
      'baremetal node create --driver fake-hardware --name f1',
    ],
    shows: 'one',
    load: from(nodeModule, 'createNode'),
  },
  {
    name: 'node list',
    summary: 'List nodes',
    options: [
      ...page('node'),
      option('--maintenance', 'Only nodes in maintenance'),
      option('--no-maintenance', 'Only nodes not in maintenance'),
      option('--retired', 'Only retired nodes'),
      option('--no-retired', 'Only nodes not retired'),
      option('--fault <fault>', 'Only nodes with this fault'),
      option('--associated', 'Only nodes with an instance', { excludes: ['unassociated'] }),
      option('--unassociated', 'Only nodes without an instance'),
      option('--provision-state <state>', 'Only nodes in this provision state'),
      option('--driver <driver>', 'Only nodes with this driver'),
      option('--resource-class <class>', 'Only nodes of this resource class'),
      option('--conductor-group <group>', 'Only nodes of this conductor group'),
      option('--conductor <conductor>', 'Only nodes of this conductor'),
      option('--chassis <chassis>', 'Only nodes in this chassis'),
      option('--owner <owner>', 'Only nodes of this owner'),
      option('--lessee <lessee>', 'Only nodes of this lessee'),
      option('--description-contains <text>', 'Only nodes with this in their description'),
      option('--shard <shard>', 'Only nodes of this shard'),
      option('--sharded', 'Only nodes with a shard'),
      option('--no-sharded', 'Only nodes without a shard'),
      option('--include-children', 'Child nodes as well'),
      option('--parent-node <node>', 'Only children of this node'),
      option('--instance-name <name>', 'Only nodes with this instance name'),
      ...long(NODE_ALL_FIELDS),
    ],
    examples: ['baremetal node list --provision-state available', 'baremetal node list --fields name driver -f json'],
    shows: 'list',
    load: from(nodeModule, 'listNodes'),
  },
  {
    name: 'node show',
    summary: 'Show a node',
    arguments: [{ name: '<node>', help: 'Name or UUID of the node, or of the instance with --instance' }],
    options: [option('--instance', '<node> is the UUID of an instance'), fields(NODE_ALL_FIELDS)],
    examples: ['baremetal node show n1', 'baremetal node show n1 -f value -c provision_state'],
    shows: 'one',
    load: from(nodeModule, 'showNode'),
  },
  {
    name: 'node set',
    summary: 'Change a node',
    arguments: [node],
    options: [
      option('--instance-uuid <uuid>', 'UUID of the instance on it'),
      option('--driver <driver>', 'Driver that controls the node'),
      ...CREATE_AND_SET,
      ...[...INTERFACES, 'firmware'].flatMap((i) => [
        option(`--${i}-interface <name>`, `Its ${interfaceName(i)}`, {
          excludes: [`reset${i[0]!.toUpperCase()}${i.slice(1)}Interface`],
        }),
        option(`--reset-${i}-interface`, `Its ${interfaceName(i)} becomes the driver's default`),
      ]),
      option('--reset-interfaces', 'With --driver: all interfaces that are not named become the defaults'),
      option('--protected', 'Refuse to undeploy, rebuild and delete it'),
      option('--protected-reason <reason>', 'Why it is protected'),
      option('--retired', 'Mark it as retired'),
      option('--retired-reason <reason>', 'Why it is retired'),
      option('--disable-power-off', 'Never power it off'),
      option('--no-disable-power-off', 'It may be powered off'),
      option('--target-raid-config <json>', 'RAID configuration: JSON, a file, or - for standard input'),
    ],
    examples: ['baremetal node set n1 --instance-info image_source=file:///srv/debian.qcow2'],
    load: from(nodeModule, 'setNode'),
  },
  {
    name: 'node unset',
    summary: 'Take settings from a node',
    arguments: [node],
    options: [
      keys('--property', 'Property to remove'),
      keys('--extra', 'Extra to remove'),
      keys('--driver-info', 'Setting of the driver to remove'),
      keys('--instance-info', 'Entry of instance_info to remove'),
      ...[
        'instance-uuid',
        'name',
        'resource-class',
        'target-raid-config',
        'chassis-uuid',
        'network-data',
        'conductor-group',
        'automated-clean',
        'protected',
        'protected-reason',
        'retired',
        'retired-reason',
        'owner',
        'lessee',
        'description',
        'shard',
        'parent-node',
        'instance-name',
        'disable-power-off',
        ...INTERFACES.map((i) => `${i}-interface`),
        'firmware-interface',
      ].map((field) => option(`--${field}`, `Unset ${field.replaceAll('-', ' ')}`)),
    ],
    load: from(nodeModule, 'unsetNode'),
  },
  {
    name: 'node delete',
    summary: 'Remove nodes',
    arguments: [{ name: '<node...>', help: 'Names or UUIDs' }],
    load: from(nodeModule, 'deleteNodes'),
  },
  verb('manage', 'manageNode', 'Check that a node can be controlled; it becomes manageable'),
  verb('provide', 'provideNode', 'Clean a node and make it available'),
  verb('deploy', 'deployNode', 'Deploy an image to a node', {
    options: [CONFIG_DRIVE, DEPLOY_STEPS, PLAYBOOK, VARIABLE],
    examples: [
      'baremetal node deploy n1 --wait',
      'baremetal node deploy n1 --config-drive drive.json --playbook site.yml --variable role=web --wait 1800',
    ],
  }),
  verb('rebuild', 'rebuildNode', 'Deploy again to a node that is active', {
    options: [CONFIG_DRIVE, DEPLOY_STEPS, PLAYBOOK, VARIABLE],
  }),
  verb('undeploy', 'undeployNode', 'Take the deployed system from a node; it becomes available'),
  verb('clean', 'cleanNode', 'Run clean steps on a manageable node', {
    options: [
      option('--clean-steps <json>', 'Steps: JSON, a file, or - for standard input', { isRequired: true }),
      option('--disable-ramdisk', 'Without booting the ramdisk'),
    ],
    examples: [
      `baremetal node clean n1 --clean-steps '[{"interface":"deploy","step":"erase_devices_metadata"}]' --wait`,
    ],
  }),
  verb('inspect', 'inspectNode', 'Look into the hardware of a manageable node'),
  verb('adopt', 'adoptNode', 'Take over a node that something else has deployed'),
  verb('abort', 'abortNode', 'Stop what a node is doing'),
  verb('rescue', 'rescueNode', 'Boot a rescue ramdisk', {
    options: [option('--rescue-password <password>', 'Password of the rescue ramdisk', { isRequired: true })],
    examples: ['baremetal node rescue n1 --rescue-password ... --wait'],
  }),
  verb('unrescue', 'unrescueNode', 'Leave the rescue ramdisk'),
  verb('unhold', 'unholdNode', 'Let a held node go on'),
  verb('retry', 'retryNode', 'Go on with a failed deployment or playbook at the step that failed'),
  {
    ...verb('configure', 'configureNode', 'Run a playbook on an active node', { options: [VARIABLE] }),
    arguments: [node, { name: '<playbook>', help: 'File with the playbook' }],
    examples: ['baremetal node configure n1 site.yml --variable role=web --wait'],
  },
  verb('power on', 'powerOn', 'Power a node on', { options: [POWER_TIMEOUT] }),
  verb('power off', 'powerOff', 'Power a node off', { options: [SOFT('a shutdown'), POWER_TIMEOUT] }),
  verb('reboot', 'rebootNode', 'Reboot a node', { options: [SOFT('a reboot'), POWER_TIMEOUT] }),
  {
    name: 'node maintenance set',
    summary: 'Put a node into maintenance',
    arguments: [node],
    options: [option('--reason <reason>', 'Why')],
    load: from(nodeModule, 'setMaintenance'),
  },
  {
    name: 'node maintenance unset',
    summary: 'Take a node out of maintenance',
    arguments: [node],
    load: from(nodeModule, 'unsetMaintenance'),
  },
  {
    name: 'node boot device set',
    summary: 'Set the device a node boots from',
    arguments: [
      node,
      { name: '<device>', help: 'Boot device', choices: ['pxe', 'disk', 'cdrom', 'bios', 'safe', 'wanboot'] },
    ],
    options: [option('--persistent', 'For all boots to come')],
    load: from(nodeModule, 'setBootDevice'),
  },
  {
    name: 'node boot device show',
    summary: 'Show the device a node boots from',
    arguments: [node],
    options: [option('--supported', 'Show which devices can be set')],
    shows: 'one',
    load: from(nodeModule, 'showBootDevice'),
  },
  {
    name: 'node validate',
    summary: "Check a node's interfaces",
    arguments: [node],
    shows: 'list',
    load: from(nodeModule, 'validateNode'),
  },
  {
    name: 'node inject nmi',
    summary: 'Send a non-maskable interrupt',
    arguments: [node],
    load: from(nodeModule, 'injectNmi'),
  },
  {
    name: 'node inventory save',
    summary: 'Write what the last inspection found, as JSON',
    arguments: [node],
    options: [option('--file <file>', 'File to write; standard output without it')],
    load: from(nodeModule, 'saveInventory'),
  },
  {
    name: 'node why',
    summary: 'What a node does or waits for, since when, until when, and what to do',
    arguments: [node],
    shows: 'one',
    load: from(nodeModule, 'why'),
  },
  {
    name: 'node timeline',
    summary: 'The phases of the last deployment, with seconds each',
    arguments: [node],
    options: [option('--run <uuid>', 'Of this run')],
    shows: 'list',
    load: from(nodeModule, 'timeline'),
  },
  {
    name: 'node events',
    summary: 'Follow the events of a node, or of all',
    arguments: [{ name: '[node]', help: 'Name or UUID of the node' }],
    options: [
      option('--type <type,...>', 'Only events of these types'),
      option('--after <cursor>', 'Those after this cursor; `now`: only new ones'),
      option('--no-follow', 'End at the last stored event'),
      option('--json', 'One JSON object per line'),
    ],
    examples: ['baremetal node events n1', 'baremetal node events --type machine.unknown --after now'],
    load: from(events, 'showEvents'),
  },
  {
    name: 'port create',
    summary: 'Register a port of a node',
    arguments: [{ name: '<address>', help: 'MAC address' }],
    options: [
      option('--node <uuid>', 'UUID of its node', { isRequired: true }),
      option('--uuid <uuid>', 'Its UUID; made when missing'),
      pairs('--extra', 'Anything to be remembered'),
      pairs('--local-link-connection', 'Where it is plugged in: switch_id, port_id, switch_info, hostname'),
      option('--pxe-enabled <boolean>', 'Whether it boots from the network'),
      option('--port-group <uuid>', 'UUID of its port group'),
      option('--physical-network <name>', 'Physical network it is plugged into'),
      option('--is-smartnic', 'It is a Smart NIC'),
      option('--name <name>', 'Unique name'),
      option('--description <text>', 'Description'),
    ],
    examples: ['baremetal port create 52:54:00:12:34:56 --node 8dd6... --pxe-enabled true'],
    shows: 'one',
    load: from(small, 'createPort'),
  },
  {
    name: 'port list',
    summary: 'List ports',
    options: [
      option('--address <mac>', 'Only the port with this MAC address'),
      option('--node <node>', 'Only ports of this node'),
      option('--port-group <group>', 'Only ports of this port group'),
      ...page('port'),
      ...long(PORT_ALL_FIELDS),
    ],
    shows: 'list',
    load: from(small, 'listPorts'),
  },
  {
    name: 'port show',
    summary: 'Show a port',
    arguments: [{ name: '<id>', help: 'UUID, or MAC address with --address' }],
    options: [option('--address', '<id> is a MAC address'), fields(PORT_ALL_FIELDS)],
    shows: 'one',
    load: from(small, 'showPort'),
  },
  {
    name: 'port set',
    summary: 'Change a port',
    arguments: [{ name: '<port>', help: 'UUID of the port' }],
    options: [
      option('--node <uuid>', 'UUID of its node'),
      option('--address <mac>', 'MAC address'),
      pairs('--extra', 'Anything to be remembered'),
      option('--port-group <uuid>', 'UUID of its port group'),
      pairs('--local-link-connection', 'Where it is plugged in'),
      option('--pxe-enabled', 'It boots from the network', { excludes: ['pxeDisabled'] }),
      option('--pxe-disabled', 'It does not boot from the network'),
      option('--physical-network <name>', 'Physical network it is plugged into'),
      option('--is-smartnic', 'It is a Smart NIC'),
      option('--name <name>', 'Unique name'),
      option('--description <text>', 'Description'),
    ],
    load: from(small, 'setPort'),
  },
  {
    name: 'port unset',
    summary: 'Take settings from a port',
    arguments: [{ name: '<port>', help: 'UUID of the port' }],
    options: [
      keys('--extra', 'Extra to remove'),
      ...['port-group', 'physical-network', 'is-smartnic', 'name', 'description'].map((f) =>
        option(`--${f}`, `Unset ${f.replaceAll('-', ' ')}`),
      ),
    ],
    load: from(small, 'unsetPort'),
  },
  {
    name: 'port delete',
    summary: 'Remove ports',
    arguments: [{ name: '<port...>', help: 'UUIDs' }],
    load: from(small, 'deletePorts'),
  },
  {
    name: 'chassis create',
    summary: 'Register a chassis',
    options: [
      option('--description <text>', 'Description'),
      pairs('--extra', 'Anything to be remembered'),
      option('--uuid <uuid>', 'Its UUID'),
    ],
    shows: 'one',
    load: from(small, 'createChassis'),
  },
  {
    name: 'chassis list',
    summary: 'List chassis',
    options: [...page('chassis'), ...long(CHASSIS_LONG_FIELDS)],
    shows: 'list',
    load: from(small, 'listChassis'),
  },
  {
    name: 'chassis show',
    summary: 'Show a chassis',
    arguments: [{ name: '<chassis>', help: 'UUID' }],
    options: [fields(CHASSIS_LONG_FIELDS)],
    shows: 'one',
    load: from(small, 'showChassis'),
  },
  {
    name: 'chassis set',
    summary: 'Change a chassis',
    arguments: [{ name: '<chassis>', help: 'UUID' }],
    options: [option('--description <text>', 'Description'), pairs('--extra', 'Anything to be remembered')],
    load: from(small, 'setChassis'),
  },
  {
    name: 'chassis unset',
    summary: 'Take settings from a chassis',
    arguments: [{ name: '<chassis>', help: 'UUID' }],
    options: [option('--description', 'Unset description'), keys('--extra', 'Extra to remove')],
    load: from(small, 'unsetChassis'),
  },
  {
    name: 'chassis delete',
    summary: 'Remove chassis',
    arguments: [{ name: '<chassis...>', help: 'UUIDs' }],
    load: from(small, 'deleteChassis'),
  },
  {
    name: 'driver list',
    summary: 'List drivers',
    options: [
      option('--type <type>', 'Only drivers of this type', { choices: ['classic', 'dynamic'] }),
      ...long(DRIVER_LONG_FIELDS),
    ],
    shows: 'list',
    load: from(small, 'listDrivers'),
  },
  {
    name: 'driver show',
    summary: 'Show a driver',
    arguments: [{ name: '<driver>', help: 'Name of the driver' }],
    options: [fields(DRIVER_LONG_FIELDS)],
    shows: 'one',
    load: from(small, 'showDriver'),
  },
  {
    name: 'driver property list',
    summary: 'List what a driver takes in driver_info',
    arguments: [{ name: '<driver>', help: 'Name of the driver' }],
    shows: 'list',
    load: from(small, 'listDriverProperties'),
  },
  {
    name: 'conductor list',
    summary: 'List conductors',
    options: [...page('conductor'), ...long(CONDUCTOR_LONG_FIELDS)],
    shows: 'list',
    load: from(small, 'listConductors'),
  },
  {
    name: 'conductor show',
    summary: 'Show a conductor',
    arguments: [{ name: '<conductor>', help: 'Host name of the conductor' }],
    options: [fields(CONDUCTOR_LONG_FIELDS)],
    shows: 'one',
    load: from(small, 'showConductor'),
  },
  {
    name: 'unknown list',
    summary: 'List machines that asked to boot and that nobody registered',
    shows: 'list',
    load: from(nodeModule, 'unknownMachines'),
  },
  {
    name: 'completion',
    summary: 'Print the completion script of a shell',
    arguments: [{ name: '<shell>', help: 'Shell', choices: ['bash', 'zsh', 'fish'] }],
    examples: [
      'source <(baremetal completion bash)',
      'baremetal completion fish > ~/.config/fish/completions/baremetal.fish',
    ],
    load: from(() => import('./commands/completion.ts'), 'printCompletion'),
  },
];
