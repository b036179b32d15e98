/** What belongs to a node: management, console, traits, settings, history, vendor's methods, and where it is. */
import type { ArgumentSpec, CommandSpec } from '../command.ts';
import { BIOS_SETTING } from '../commands/fields.ts';
import { from, long, NODE_ARGUMENT, NODES_ARGUMENT, option, pairs, text } from './options.ts';

const node = () => import('../commands/node.ts');
const parts = () => import('../commands/node-parts.ts');
const traits = () => import('../commands/traits.ts');
const passthru = () => import('../commands/passthru.ts');
const status = () => import('../commands/status.ts');

/** A command that orders something and shows nothing. */
const order = (name: string, run: string, summary: string, more: Partial<CommandSpec> = {}): CommandSpec => ({
  name: `node ${name}`,
  summary,
  arguments: [NODES_ARGUMENT],
  load: from(parts, run),
  ...more,
});
/** A command that shows something of a node. */
const look = (
  name: string,
  run: string,
  summary: string,
  shows: 'list' | 'one',
  more: Partial<CommandSpec> = {},
): CommandSpec => ({
  name: `node ${name}`,
  summary,
  arguments: [NODE_ARGUMENT],
  shows,
  load: from(parts, run),
  ...more,
});

const VIF: ArgumentSpec = { name: '<vif-id>', help: 'Name or UUID of the virtual interface' };
const DEVICE_TYPES = ['cdrom', 'disk', 'floppy'];
const addTraits = (name: string): CommandSpec => ({
  name: `node ${name}`,
  summary: 'Give a node traits',
  arguments: [NODE_ARGUMENT, { name: '<trait...>', help: 'Traits to add, such as CUSTOM_GPU' }],
  load: from(traits, 'addNodeTraits'),
});
const removeTraits = (name: string): CommandSpec => ({
  name: `node ${name}`,
  summary: 'Take traits from a node',
  arguments: [NODE_ARGUMENT, { name: '[trait...]', help: 'Traits to remove' }],
  options: [option('--all', 'Remove all traits')],
  load: from(traits, 'removeNodeTraits'),
});

export const COMMANDS: readonly CommandSpec[] = [
  order('boot device set', 'setBootDevice', 'Set the device nodes boot from', {
    arguments: [
      NODES_ARGUMENT,
      { name: '<device>', help: 'Boot device', choices: ['pxe', 'disk', 'cdrom', 'bios', 'safe', 'wanboot'] },
    ],
    options: [option('--persistent', 'For all boots to come')],
  }),
  look('boot device show', 'showBootDevice', 'Show the device a node boots from', 'one', {
    options: [option('--supported', 'Show which devices can be set')],
  }),
  order('boot mode set', 'setBootMode', 'Set the boot mode of the next deployment', {
    arguments: [NODES_ARGUMENT, { name: '<boot_mode>', help: 'Boot mode', choices: ['uefi', 'bios'] }],
  }),
  order('secure boot on', 'secureBootOn', 'Turn secure boot on'),
  order('secure boot off', 'secureBootOff', 'Turn secure boot off'),
  order('inject nmi', 'injectNmi', 'Send a non-maskable interrupt'),
  order('console enable', 'enableConsole', 'Open the console'),
  order('console disable', 'disableConsole', 'Close the console'),
  look('console show', 'showConsole', 'Show how to reach the console', 'one'),
  look('validate', 'validateNode', "Check a node's interfaces", 'list', { load: from(node, 'validateNode') }),
  look('trait list', 'listNodeTraits', 'List the traits of a node', 'list', { load: from(traits, 'listNodeTraits') }),
  addTraits('trait add'),
  addTraits('add trait'),
  removeTraits('trait remove'),
  removeTraits('remove trait'),
  look('vif list', 'listVifs', 'List the virtual interfaces that are attached', 'list'),
  order('vif attach', 'attachVif', 'Attach a virtual interface', {
    arguments: [NODE_ARGUMENT, VIF],
    options: [
      text('--port-uuid', 'port_uuid', 'UUID of the port to attach it to', { excludes: ['portgroupUuid'] }),
      text('--portgroup-uuid', 'portgroup_uuid', 'UUID of the port group to attach it to'),
      pairs('--vif-info', 'vif_info', 'Anything to be told with it'),
    ],
  }),
  order('vif detach', 'detachVif', 'Detach a virtual interface', { arguments: [NODE_ARGUMENT, VIF] }),
  look('vmedia list', 'listVmedia', 'List the virtual media that are attached', 'list'),
  order('vmedia attach', 'attachVmedia', 'Attach an image as a virtual medium', {
    arguments: [
      NODES_ARGUMENT,
      { name: '<device-type>', help: 'Kind of medium', choices: DEVICE_TYPES },
      { name: '<image-url>', help: 'URL of the image: http, https, nfs or cifs' },
    ],
    options: [
      text('--image-download-source', 'image_download_source', 'Where the BMC gets it from', {
        choices: ['http', 'local', 'swift'],
      }),
    ],
    examples: ['baremetal node vmedia attach n1 cdrom http://10.0.0.1/rescue.iso'],
  }),
  order('vmedia detach', 'detachVmedia', 'Detach virtual media', {
    options: [
      option('--device-type <type>', 'Only media of this kind (repeat for more); without it all', {
        isRepeated: true,
        choices: DEVICE_TYPES,
      }),
    ],
  }),
  look('bios setting list', 'listBiosSettings', 'List the BIOS settings of a node', 'list', {
    options: long(BIOS_SETTING),
  }),
  look('bios setting show', 'showBiosSetting', 'Show a BIOS setting of a node', 'one', {
    arguments: [NODE_ARGUMENT, { name: '<setting-name>', help: 'Name of the setting' }],
  }),
  look('firmware list', 'listFirmware', 'List the firmware of a node', 'list'),
  look('children list', 'listChildren', 'List the nodes that are parts of a node', 'list'),
  look('history list', 'listHistory', 'List what went wrong with a node, and when', 'list', {
    options: [option('--long', 'Show all fields')],
  }),
  look('history get', 'showHistoryEvent', 'Show an entry of the history of a node', 'one', {
    arguments: [NODE_ARGUMENT, { name: '<event>', help: 'UUID of the entry' }],
  }),
  look('passthru list', 'listNodeMethods', "List the methods of a node's vendor", 'list', {
    load: from(passthru, 'listNodeMethods'),
  }),
  {
    name: 'node passthru call',
    summary: "Call a method of a node's vendor",
    arguments: [NODE_ARGUMENT, { name: '<method>', help: 'Name of the method' }],
    options: [
      pairs('--arg', 'arg', 'Argument of the method'),
      option('--http-method <method>', 'Method of the request, POST if missing', {
        choices: ['POST', 'PUT', 'GET', 'DELETE', 'PATCH'],
      }),
    ],
    load: from(passthru, 'callNodeMethod'),
  },
  {
    name: 'node inventory save',
    summary: 'Write what the last inspection found, as JSON',
    arguments: [{ ...NODE_ARGUMENT, isNode: 'one' }],
    options: [option('--file <file>', 'File to write; standard output without it')],
    load: from(parts, 'saveInventory'),
  },
  look('why', 'why', 'What a node does or waits for, since when, until when, and what to do', 'one', {
    load: from(status, 'why'),
  }),
  look('timeline', 'timeline', 'The phases of the last deployment, with seconds each', 'list', {
    options: [option('--run <uuid>', 'Of this run')],
    load: from(status, 'timeline'),
  }),
  {
    name: 'node events',
    summary: 'Follow the events of a node, of a range of nodes, or of all',
    arguments: [{ name: '[node]', help: 'Name or UUID of the node, or a range of names' }],
    options: [
      option('--type <type,...>', 'Only events of these types; * stands for any text'),
      option('--severity <severity>', 'Only events of this severity and above', {
        choices: ['info', 'warning', 'error'],
      }),
      option('--after <cursor>', 'Those after this cursor; `now`: only new ones'),
      option('--no-follow', 'End at the last stored event'),
      option('--json', 'One JSON object per line'),
    ],
    examples: [
      'baremetal node events n1',
      "baremetal node events 'rack1-[01-40]' --type 'node.*' --severity warning",
      'baremetal node events --type machine.unknown --after now',
    ],
    load: from(() => import('../commands/events.ts'), 'showEvents'),
  },
];
