/** Differences that are meant in what is asked of nodes: each with its reason. */
import type { Difference } from './compare.ts';
import type { Explanation } from './explained.ts';
import { faultOf, isNowhere, statusOf } from './reading.ts';

/** Statuses of both sides, where those differ. */
const statuses = (d: Difference, ironic: number, ours: number): boolean =>
  d.at === 'status' && statusOf(d.ironic) === ironic && statusOf(d.ours) === ours;
const isFault = (d: Difference): boolean => d.at === '/error_message/faultstring';
const isOf = (d: Difference, name: string): boolean => d.path.startsWith(`/v1/nodes/{${name}}`);
const isGateOf = (fault: string | undefined, what: string): boolean =>
  fault?.startsWith(`Request not acceptable. ${what} needs API version `) === true;

const INTERFACE_WORDS = /^"(Could not find the following interface .*) Valid interfaces are \[(.*)\]\."$/;
const PATCHABLE_WORDS = /^"(Cannot patch \S+\. Only the following can be updated:) (.*)"$/;
const FAULT_WORDS = /^"(Unrecognized fault .* allowed faults are) \((.*)\)"$/;

/** The same sentence, with a list that has all of Ironic's entries and more. */
function hasMore(d: Difference, words: RegExp): boolean {
  const [ironic, ours] = [words.exec(d.ironic), words.exec(d.ours)];
  if (!isFault(d) || !ironic || !ours || ironic[1] !== ours[1]) return false;
  const names = new Set(ours[2]!.split(', '));
  return ironic[2]!.split(', ').every((name) => names.has(name));
}

/** The microversion is refused before the value of what is too new. */
function isVersionFirst(d: Difference): boolean {
  if (d.at !== 'status' || statusOf(d.ironic) !== 400) return false;
  const [ironic, ours] = [faultOf(d.ironic) ?? '', faultOf(d.ours) ?? ''];
  if (statusOf(d.ours) === 406) {
    const name = /^Invalid (\w+): Unrecognized value /.exec(ironic)?.[1];
    const field = /^Invalid query parameter \?(\w+)=(?:\[|True)/.exec(ironic)?.[1];
    return isGateOf(ours, `The parameter ${name ?? field}`);
  }
  return (
    statusOf(d.ours) === 404 &&
    /^This endpoint is supported starting with the API version 1\.\d+$/.test(ours) &&
    /^(Missing mandatory parameter: target$|Invalid target: )/.test(ironic)
  );
}

/** A node whose steps Ironic has taken and then failed to clean or deploy with. */
const ENDS_IN_FAILURE: Readonly<Record<string, RegExp>> = {
  'unknown-step': /node does not support this (clean|deploy) step: /,
  'no-steps': /No deploy steps returned by the driver/,
  'wants-ramdisk': / requires booting a ramdisk/,
  'broken-drive': /configdrive: configdrive is neither an object nor base64 text/,
};

export const EXPLAINED_OF_NODES: readonly Explanation[] = [
  {
    id: 'latest-version',
    why: 'What `latest` is is said in the answer: 1.115 here, 1.82 with the Ironic of Debian 12.',
    fits: (d) =>
      d.at === 'header x-openstack-ironic-api-version' &&
      d.sent?.includes('latest') === true &&
      d.ironic === '1.82' &&
      d.ours === '1.115',
  },
  {
    id: 'common-version-header',
    why: 'Bessemer also reads the microversion from OpenStack-API-Version, the header that the services of OpenStack have in common; this Ironic does not.',
    fits: (d) => {
      const asked = /^OpenStack-API-Version: baremetal (\S+)$/.exec(d.sent ?? '')?.[1];
      if (asked === undefined) return false;
      if (d.at === 'header x-openstack-ironic-api-version') return d.ironic === '1.1' && d.ours === asked;
      return statuses(d, 200, 406);
    },
  },
  {
    id: 'empty-version',
    why: 'An empty version header says as much as none.',
    fits: (d) => d.sent === 'X-OpenStack-Ironic-API-Version: ' && statuses(d, 406, 200),
  },
  {
    id: 'allowed-methods',
    why: "Allow names what can be done at the path. Ironic's routing framework names GET where only PUT is possible, and the methods of a node for its traits as long as there are none.",
    fits: (d) =>
      d.at === 'header allow' &&
      ((d.path.endsWith('/states/power') && d.ironic === 'GET' && d.ours === 'PUT') ||
        (/^\/v1\/nodes\/[^/]+\/traits(\/|$)/.test(d.path) && (d.minor ?? 0) < 37 && d.ours === '(absent)')),
  },
  {
    id: 'root-methods',
    why: 'The version documents can be read and nothing else; to / Ironic answers every method the same, and to a POST to /v1 405 with the words of 400.',
    fits: (d) =>
      (d.path === '/' && d.method === 'POST' && statuses(d, 200, 405)) ||
      (d.path === '/v1' && d.method === 'POST' && d.at.startsWith('/error_message/')),
  },
  {
    id: 'own-agent',
    why: "Bessemer's agent has a channel of its own: Ironic's calls of an agent are refused, and not linked to.",
    fits: (d) =>
      (/^\/v1\/?$/.test(d.path) && ['/lookup', '/heartbeat'].includes(d.at) && d.ours === '(absent)') ||
      (/^\/v1\/(lookup|heartbeat)\b/.test(d.path) &&
        d.at === 'status' &&
        faultOf(d.ours)?.endsWith('The agent of this service has a channel of its own.') === true),
  },
  {
    id: 'owner-without-login',
    why: 'Without authentication everybody may do everything; Ironic lets nobody name an owner when a node is created, and then everybody in a PATCH.',
    fits: (d) =>
      d.path === '/v1/nodes' &&
      d.sent?.includes('"owner"') === true &&
      statuses(d, 400, 201) &&
      faultOf(d.ironic)?.startsWith('Cannot create a node as a project scoped admin with an owner') === true,
  },
  {
    id: 'more-interfaces-in-words',
    why: 'The interfaces that a hardware type can have are listed where one is refused; Bessemer enables more of them.',
    fits: (d) => hasMore(d, INTERFACE_WORDS),
  },
  {
    id: 'newer-fault',
    why: 'Servicing came after 1.82, and with it the fault `service failure`.',
    fits: (d) => hasMore(d, FAULT_WORDS),
  },
  {
    id: 'newer-patchable',
    why: 'The fields of a node that a patch may touch are listed for all versions, as Ironic does; some came after 1.82.',
    fits: (d) => d.path.startsWith('/v1/nodes/') && hasMore(d, PATCHABLE_WORDS),
  },
  {
    id: 'percent-is-a-letter',
    why: 'What a description is searched for is a text; Ironic passes on its percent signs and underscores as wildcards of SQL.',
    fits: (d) => {
      if (!d.path.endsWith('description_contains=%25_o') || d.at !== '/nodes') return false;
      const uuids = (text: string) => (JSON.parse(text) as Array<{ uuid: string }>).map(({ uuid }) => uuid);
      const theirs = new Set(uuids(d.ironic));
      return uuids(d.ours).every((uuid) => theirs.has(uuid));
    },
  },
  {
    id: 'no-shard',
    why: 'Nodes without a shard are counted under null; Ironic makes a text of it: "None".',
    fits: (d) => d.path === '/v1/shards' && d.at === '/shards/*/name' && d.ironic === '"None"' && d.ours === 'null',
  },
  {
    id: 'firmware-interface',
    why: 'Validation also tells of the firmware interface, which came with 1.86.',
    fits: (d) =>
      d.path.includes('/validate') && d.at === '/firmware' && d.ironic === '(absent)' && d.ours === '{"result":true}',
  },
  {
    id: 'validate-what',
    why: 'A validation that names no node says which parameter is missing, rather than that there is no node None.',
    fits: (d) =>
      d.path === '/v1/nodes/validate' &&
      (d.ours === '"Missing mandatory parameter: node"' || faultOf(d.ours) === 'Missing mandatory parameter: node'),
  },
  {
    id: 'row-number',
    why: 'A node is named by its UUID, not by the number of its row in the database.',
    fits: (d) =>
      isFault(d) &&
      d.ironic !== d.ours &&
      d.ironic.replace(/\bnode \d+\b/, '') === d.ours.replace(/\bnode \{[\w-]+\}/, ''),
  },
  {
    id: 'path-as-field',
    why: 'What follows a node in the path Ironic takes for the value of the parameter `fields`, or for a method. For Bessemer there is nothing at such a path, or nothing yet at this microversion.',
    fits: (d) => {
      const [, last] = /^\/v1\/nodes\/[^/]+\/(nosuch|children|firmware|vmedia|management\/nosuch)$/.exec(d.path) ?? [];
      if (last === undefined || d.at !== 'status' || d.method !== 'GET') return false;
      if (!isNowhere(d.ours) && !/^404 .*\b(listChildren|listFirmware|getVirtualMedia) needs API version/.test(d.ours))
        return false;
      return (
        (statusOf(d.ironic) === 406 && (d.minor ?? 0) < 8) ||
        faultOf(d.ironic) === `Field ${last} is not a valid field.` ||
        (last === 'management/nosuch' && statusOf(d.ironic) === 405)
      );
    },
  },
  {
    id: 'version-before-value',
    why: 'What is too new is refused for its version before its value is looked at.',
    fits: isVersionFirst,
  },
  {
    id: 'version-before-node',
    why: 'What is too new is refused before the node is looked for.',
    fits: (d) =>
      statuses(d, 404, 406) &&
      /^Node \w+ could not be found\.$/.test(faultOf(d.ironic) ?? '') &&
      (isGateOf(faultOf(d.ours), 'The parameter fields') || /\bgetTraits needs API version 1\.37\b/.test(d.ours)),
  },
  {
    id: 'post-to-traits',
    why: 'Below 1.37 there are no traits, and Ironic takes what is before them in the path for the body of a new node; for Bessemer the method is not allowed there.',
    fits: (d) =>
      d.method === 'POST' &&
      /^\/v1\/nodes\/\{n\}\/traits$/.test(d.path) &&
      statuses(d, 400, 405) &&
      faultOf(d.ironic) === "Schema error for node: '{n}' is not of type 'object'",
  },
  {
    id: 'current-state',
    why: 'Why a field cannot be changed is said with the state that the node is in, as newer Ironic does.',
    fits: (d) =>
      isFault(d) &&
      d.ironic.includes(' updated unless it is in one of allowed (') &&
      d.ours.startsWith(`${d.ironic.slice(0, -1)} Current state is '`),
  },
  {
    id: 'drive-words',
    why: "What is wrong with a config drive is said in a sentence; Ironic sends its validator's whole report.",
    fits: (d) => isFault(d) && [d.ironic, d.ours].every((text) => text.startsWith('"Invalid configdrive format: ')),
  },
  {
    id: 'retired-or-not',
    why: 'A node is retired or it is not: removed by a patch, the field is false. Ironic stores null, and shows it.',
    fits: (d) => d.at === '/retired' && d.ironic === 'null' && d.ours === 'false',
  },
  {
    id: 'network-data-words',
    why: "What is wrong with network data is said without a blank at the sentence's end.",
    fits: (d) =>
      isFault(d) && d.ironic.startsWith('"Invalid network_data: ') && d.ironic.replace(/ "$/, '"') === d.ours,
  },
  {
    id: 'raid-words',
    why: 'What is wrong with a RAID configuration is said in the words of another validator, which also names the disk.',
    fits: (d) => isFault(d) && [d.ironic, d.ours].every((text) => text.startsWith('"RAID config validation error: ')),
  },
  {
    id: 'step-words',
    why: "What is wrong with a step is said in a sentence; Ironic sends its validator's whole report, with the schema.",
    fits: (d) => {
      const name = /^"Invalid (clean_steps|deploy_steps): /.exec(d.ironic)?.[1];
      if (!isFault(d) || name === undefined) return false;
      return d.ours.startsWith(`"Invalid ${name}: `) || d.ours.includes(`${name}[0] must name an interface (`);
    },
  },
  {
    id: 'type-words',
    why: 'The type of an argument is called by its name in JSON, not by that of a class in Python.',
    fits: (d) => {
      const name = /^"Expected types <class .*> for (\w+): /.exec(d.ironic)?.[1];
      return isFault(d) && name !== undefined && d.ours.startsWith(`"Schema error for node: ${name} must be `);
    },
  },
  {
    id: 'null-target',
    why: 'A target of null is no text; Ironic takes it for a state called None.',
    fits: (d) =>
      isFault(d) &&
      d.sent === '{"target":null}' &&
      d.ironic.startsWith('"The requested action \\"None\\" can not be performed') &&
      d.ours === '"Schema error for node: target must be a string"',
  },
  {
    id: 'ramdisk-words',
    why: 'That disable_ramdisk is too new is said with the version that it needs, and since servicing came, that it is good for that as well.',
    fits: (d) =>
      isFault(d) &&
      ((d.ironic === '"disable_ramdisk is not acceptable in this API version"' &&
        isGateOf(d.ours.slice(1), 'The field disable_ramdisk')) ||
        (d.ironic === '"disable_ramdisk is supported only with manual cleaning"' &&
          d.ours === '"disable_ramdisk is supported only with manual cleaning or servicing"')),
  },
  {
    id: 'refused-at-once',
    why: 'Steps that the node does not have and a config drive that is none are refused with 400. Ironic accepts the order, and the node ends in a failed state, or with a drive that nothing can read.',
    fits: (d) => {
      const name = /^\/v1\/nodes\/\{([\w-]+)\}/.exec(d.path)?.[1] ?? '';
      const refusal = ENDS_IN_FAILURE[name];
      if (!refusal) return false;
      if (d.at === 'status') return statuses(d, 202, 400) && refusal.test(d.ours);
      return d.method === 'REST';
    },
  },
  {
    id: 'fake-raid',
    why: "Fake RAID can be cleaned with; the one of this Ironic has no steps, and the node's cleaning fails.",
    fits: (d) => isOf(d, 'fake-raid') && d.method === 'REST',
  },
  {
    id: 'fake-power',
    why: 'A deployed server is on: also fake hardware is switched on at the end. With Ironic it stays as it was.',
    fits: (d) =>
      ['allocations', 'deployment', 'rescue', 'life-cycle', 'node-delete', 'patch-in-states', 'power'].includes(
        d.scenario,
      ) &&
      d.at.endsWith('/power_state') &&
      d.ironic === '"power off"' &&
      d.ours === '"power on"',
  },
  {
    id: 'fake-management',
    why: "Bessemer's fake hardware can do more: boot from disk and CD, remember the boot device, take an NMI, switch boot mode and secure boot.",
    fits: (d) => {
      if (d.path.includes('/management/boot_device'))
        return (
          (d.at === '/supported_boot_devices' && d.ironic === '["pxe"]' && d.ours === '["cdrom","disk","pxe"]') ||
          (d.sent === '{"boot_device":"disk"}' && statuses(d, 400, 204)) ||
          (d.ironic === '"Invalid boot device nosuch specified."' &&
            d.ours === '"Invalid boot device nosuch specified; it can be pxe, disk, cdrom."') ||
          (d.at === '/boot_device' && d.ironic === '"pxe"' && d.ours === '"disk"') ||
          (d.at === '/persistent' && d.ironic === 'false' && d.ours === 'true')
        );
      if (d.path.endsWith('/management/inject_nmi'))
        return statuses(d, 400, 204) && faultOf(d.ironic)?.includes('does not support inject_nmi') === true;
      if (d.scenario !== 'hardware' || !isOf(d, 'n')) return false;
      return (
        (d.at === '/last_error' && d.ironic.startsWith('"Failed to change secure_boot state') && d.ours === 'null') ||
        (d.at === '/boot_mode' && d.ironic === 'null' && d.ours === '"uefi"') ||
        (d.at === '/secure_boot' && d.ironic === 'null' && d.ours === 'true')
      );
    },
  },
  {
    id: 'kept-apart',
    why: 'The password of a rescue and the config drive of a deployment are kept with the work that they are for; Ironic keeps them in instance_info, and masks them.',
    fits: (d) =>
      /^\/instance_info\/((hashed_)?rescue_password|configdrive)$/.test(d.at) &&
      d.ironic === '"******"' &&
      d.ours === '(absent)',
  },
];
