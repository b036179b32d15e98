/** The agent's steps by name: the table of `@bessemer/agent-protocol` with its code. */
import {
  AGENT_STEPS,
  parseStepArgs,
  type AgentStepName,
  type JsonObject,
  type SegmentStep,
  type StepArgs,
} from '@bessemer/agent-protocol';
import type { StepContext } from '../ports.ts';
import { reasonOf, StepFailure } from '../step-failure.ts';
import { writeConfigDrive } from './configdrive.ts';
import { eraseDevicesMetadata } from './erase.ts';
import { prepareBoot } from './prepare-boot.ts';
import { writeImage } from './write-image.ts';

type StepCode<K extends AgentStepName> = (args: StepArgs[K], context: StepContext) => Promise<object>;

const STEP_CODE: { readonly [K in AgentStepName]: StepCode<K> } = {
  inspect: async (_args, { hardware }) => {
    try {
      return { inventory: await hardware.inventory() };
    } catch (error) {
      throw new StepFailure('INSPECT_FAILED', `the hardware cannot be read: ${reasonOf(error)}`, { cause: error });
    }
  },
  erase_devices_metadata: (_args, context) => eraseDevicesMetadata(context),
  write_image: writeImage,
  configdrive: writeConfigDrive,
  prepare_boot: prepareBoot,
};

export const STEP_NAMES = Object.keys(AGENT_STEPS) as AgentStepName[];

/** Checks a step's arguments and does it. Rejects with StepFailure, or with the signal's reason when it was cancelled. */
export async function runStep(step: SegmentStep, context: StepContext): Promise<JsonObject> {
  if (!Object.hasOwn(STEP_CODE, step.name))
    throw new StepFailure(
      'UNKNOWN_STEP',
      `this agent has no step ${step.name}: it has ${STEP_NAMES.join(', ')}. Rebuild the ramdisk.`,
    );
  return run(step.name as AgentStepName, step.args, context);
}

async function run<K extends AgentStepName>(name: K, given: JsonObject, context: StepContext): Promise<JsonObject> {
  const args = parseStepArgs(name, given);
  if (!args.ok) throw new StepFailure('BAD_ARGUMENTS', args.error);
  return (await STEP_CODE[name](args.value, context)) as JsonObject;
}
