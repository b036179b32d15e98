/** What moves a node: provisioning, power, playbooks; each can wait for its end. */
import { type Invocation, isOn, listOption, type Run, textOption } from '../command.ts';
import { CliError } from '../errors.ts';
import { type Goal, startAndWait } from '../watch/wait.ts';
import { nodePath } from './node.ts';
import { add, jsonArgument, keyValues, patch, record } from './values.ts';

/** Sends the request; with `--wait`, waits for the goal. */
async function go(invocation: Invocation, goal: Goal, start: () => Promise<unknown>): Promise<number> {
  const { options, api, io, clock, args, depart } = invocation;
  const node = args[0]!;
  const timeoutS = options['wait'] as number | undefined;
  if (timeoutS === undefined) {
    await start();
    return 0;
  }
  if (depart) {
    depart({ node, goal, start });
    return 0;
  }
  return startAndWait({ api, io, clock, node, goal, timeoutS, start });
}

const put = ({ api, args }: Invocation, below: string, body: unknown) =>
  api.request('PUT', nodePath(args, below), { body });

/** A verb that needs nothing but its name. */
const provision =
  (target: string, goal: Goal): Run =>
  (invocation) =>
    go(invocation, goal, () => put(invocation, '/states/provision', { target }));

export const manageNode = provision('manage', { kind: 'provision', state: 'manageable' });
export const provideNode = provision('provide', { kind: 'provision', state: 'available' });
export const undeployNode = provision('deleted', { kind: 'provision', state: 'available' });
export const inspectNode = provision('inspect', { kind: 'provision', state: 'manageable' });
export const adoptNode = provision('adopt', { kind: 'provision', state: 'active' });
export const unrescueNode = provision('unrescue', { kind: 'provision', state: 'active' });
export const abortNode = provision('abort', { kind: 'rest' });
export const unholdNode = provision('unhold', { kind: 'rest' });

/** A verb that runs steps, given or by the name of a runbook. */
const runSteps =
  (kind: 'clean' | 'service', state: string): Run =>
  async (invocation) => {
    const { options, io } = invocation;
    const steps = textOption(options, `${kind}Steps`);
    const runbook = textOption(options, 'runbook');
    const body = {
      target: kind,
      ...(steps === undefined ? {} : { [`${kind}_steps`]: await jsonArgument(steps, `${kind} steps`, io) }),
      ...(runbook === undefined ? {} : { runbook }),
      ...(isOn(options, 'disableRamdisk') ? { disable_ramdisk: true } : {}),
    };
    return go(invocation, { kind: 'provision', state }, () => put(invocation, '/states/provision', body));
  };
export const cleanNode = runSteps('clean', 'manageable');
export const serviceNode = runSteps('service', 'active');

export const rescueNode: Run = (invocation) => {
  const rescuePassword = textOption(invocation.options, 'rescuePassword');
  const body = { target: 'rescue', rescue_password: rescuePassword };
  return go(invocation, { kind: 'provision', state: 'rescue' }, () => put(invocation, '/states/provision', body));
};

/** The playbook of `--playbook FILE` with its `--variable`s. */
function playOf({ options, io }: Invocation, file: string) {
  const playbook = io.readFile(file);
  if (playbook.trim() === '') throw new CliError(`The playbook ${file} is empty.`);
  return { playbook, variables: keyValues(listOption(options, 'variable')) };
}

const deploy =
  (target: 'active' | 'rebuild'): Run =>
  async (invocation) => {
    const { options, io, args } = invocation;
    const body: Record<string, unknown> = { target };
    const drive = textOption(options, 'configDrive');
    if (drive !== undefined) {
      const { readConfigDrive } = await import('./config-drive.ts');
      body['configdrive'] = readConfigDrive(drive, io);
    }
    const steps = textOption(options, 'deploySteps');
    if (steps !== undefined) body['deploy_steps'] = await jsonArgument(steps, 'deploy steps', io);
    const file = textOption(options, 'playbook');
    const play = file === undefined ? undefined : playOf(invocation, file);
    if (play === undefined && listOption(options, 'variable').length > 0)
      throw new CliError('--variable goes with --playbook.', { exitCode: 2 });
    return go(invocation, { kind: 'provision', state: 'active' }, async () => {
      if (play) await patch(invocation, nodePath(args), [add('instance_info/configure', play)], 'set');
      await put(invocation, '/states/provision', body);
    });
  };
export const deployNode = deploy('active');
export const rebuildNode = deploy('rebuild');

export const configureNode: Run = (invocation) => {
  const play = playOf(invocation, invocation.args[1]!);
  return go(invocation, { kind: 'run', verb: 'configure' }, () => put(invocation, '/configure', play));
};

export const retryNode: Run = async (invocation) => {
  const node = record(await invocation.api.get(nodePath(invocation.args), { fields: 'provision_state' }));
  const goal: Goal =
    node['provision_state'] === 'active' ? { kind: 'run', verb: 'configure' } : { kind: 'provision', state: 'active' };
  return go(invocation, goal, () => put(invocation, '/retry', {}));
};

const power =
  (target: (isSoft: boolean) => string, state: string): Run =>
  (invocation) => {
    const { options } = invocation;
    const timeout = options['powerTimeout'] as number | undefined;
    if (timeout !== undefined && timeout <= 0) throw new CliError('--power-timeout must be a positive integer.');
    const body = { target: target(isOn(options, 'soft')), ...(timeout === undefined ? {} : { timeout }) };
    return go(invocation, { kind: 'power', state }, () => put(invocation, '/states/power', body));
  };
export const powerOn = power(() => 'power on', 'power on');
export const powerOff = power((isSoft) => (isSoft ? 'soft power off' : 'power off'), 'power off');
export const rebootNode = power((isSoft) => (isSoft ? 'soft rebooting' : 'rebooting'), 'power on');
