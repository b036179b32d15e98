/** Steps that meet the deployed system: the first SSH answer, and the operator's play. */
import type { Json, JsonObject } from '@bessemer/core';
import type { ConfigureResult } from '../ports.ts';
import { savedTime } from './power.ts';
import { done, failed, untilAtLeast, type StepHandler } from './step.ts';
import { NO_WAY_IN, playOf, wayInOf } from './way-in.ts';

/** The first answer is noticed at once; a system that takes minutes is asked less often. */
const SSH_POLL_MS = 500;
const SSH_SLOW_POLL_MS = 2_000;
const SSH_SLOW_AFTER_MS = 90_000;

/** `wait_ssh` */
export const waitSsh: StepHandler = {
  async run(task) {
    const way = await wayInOf(task, task.node, task.ports);
    const bootAt = savedTime(task.notes, 'diskBootAt') ?? task.attempt.startedAt;
    if (!way) {
      task.log.info('no address of the deployed system is known');
      return { kind: 'done', result: { skipped: NO_WAY_IN } };
    }
    if (await task.ssh.answers(way.address, way.port)) {
      task.emit('ssh.answered', { address: way.address, port: way.port });
      task.note({ wayIn: { ...way } });
      task.patchNode({ driverInternalInfo: { ...task.node.driverInternalInfo, way_in: { ...way } } });
      return done;
    }
    return {
      kind: 'wait',
      for: {
        what: 'ssh',
        from: `the deployed system at ${way.address}:${way.port}`,
        until: untilAtLeast(task, 'ssh', bootAt + task.config.conductor.ssh_timeout_ms),
        hint: `The node boots from its disk (address by ${way.source}). Look at its console; an image without an SSH server never answers.`,
      },
      checkAfterMs: task.nowMs - bootAt < SSH_SLOW_AFTER_MS ? SSH_POLL_MS : SSH_SLOW_POLL_MS,
    };
  },
};

/** The host key that the agent told while it wrote the config drive. */
const hostKeyOf = (notes: JsonObject, internal: JsonObject): string | undefined => {
  const told = notes['sshHostKey'] ?? internal['agent_ssh_host_key'];
  return typeof told === 'string' ? told : undefined;
};

/** `configure`: the play runs in the background; a later attempt goes on at the task that failed. */
export const configure: StepHandler = {
  async run(task) {
    const play = playOf(task.run.input, task.node.instanceInfo);
    if (!play) return failed('There is no playbook to run: give one in the request or in instance_info/configure.');
    const way = await wayInOf(task, task.node, task.ports);
    if (!way) return failed(NO_WAY_IN);
    const hostKey = hostKeyOf(task.notes, task.node.driverInternalInfo);
    if (hostKey === undefined)
      return failed('The host key of the deployed system is not known: deploy the node with a config drive first.');
    const state = task.job(async (signal) => {
      const resume = (task.notes['configureResume'] ?? null) as JsonObject | null;
      const request = { requestId: task.attempt.id, ...way, hostKey, ...play, resume };
      let written = Promise.resolve();
      const result = await task.configurer.run(
        request,
        (event) => {
          const data = { task: event.task, name: event.name, outcome: event.outcome };
          written = written
            .then(() => task.record([{ type: 'configure.task', data }]))
            .catch((error: unknown) => task.log.warn('a task of the play was not recorded', { error: String(error) }));
        },
        signal,
      );
      await written;
      return result as unknown as Json;
    });
    if (state.kind === 'running')
      return {
        kind: 'wait',
        for: {
          what: 'configure',
          from: `the play on ${way.address}`,
          until: task.run.deadline,
          hint: 'The playbook runs on the node; its tasks are in the timeline as they end.',
        },
      };
    if (state.kind === 'failed') return failed(`The play could not be run: ${state.error.message}`);
    const result = state.value as unknown as ConfigureResult;
    const seconds = (task.nowMs - task.attempt.startedAt) / 1000;
    const { ok, changed, failed: failures } = result;
    task.emit('configure.done', { ok, changed, failed: failures, seconds }, result.error ? 'error' : 'info');
    task.note({ configureResume: result.error === null ? null : result.resume });
    return result.error === null ? done : failed(result.error);
  },
};
