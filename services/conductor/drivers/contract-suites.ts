/** One suite for each kind of interface, run over every implementation: what `interfaces.ts` promises. */
import { describe, expect, it } from 'vitest';
import type { JsonObject, Node } from '@bessemer/core';
import { isServiceError } from '@bessemer/core';
import { AGENT_STEPS } from '@bessemer/agent-protocol';
import { driverStep, isConductorStep } from '../steps/catalogue.ts';
import type {
  DeployInterface,
  DriverInterface,
  DriverTask,
  ManagementInterface,
  PowerInterface,
} from './interfaces.ts';

export interface Subject<I> {
  readonly implementation: I;
  /** A node that is off and has never been told to boot from anything. */
  readonly node: Node;
  readonly task: (patch?: Partial<Node>) => DriverTask;
  /** Lets an order take effect. */
  settle(): Promise<void>;
  /** What the conductor may do now; `checkMayOrder` of the task asks it. */
  mayOrder: boolean;
  /** Runs `promise` while time goes by. */
  during<T>(promise: Promise<T>): Promise<T>;
  close(): Promise<void>;
}
export type MakeSubject<I> = () => Promise<Subject<I>>;

function describeProperties<I extends DriverInterface>(make: MakeSubject<I>): void {
  it('declares each property with words and validates a good node', async () => {
    const subject = await make();
    for (const [name, property] of Object.entries(subject.implementation.properties)) {
      expect(name).toMatch(/^[a-z_]+$/);
      expect(property.description.length, name).toBeGreaterThan(10);
      expect(property.secret, name).toBe(/password|key$/.test(name));
    }
    expect(() => subject.implementation.validate(subject.task())).not.toThrow();
    await subject.close();
  });
  it('refuses a node without a required property, naming it', async () => {
    const subject = await make();
    for (const [name, property] of Object.entries(subject.implementation.properties)) {
      if (!property.required) continue;
      const { [name]: _, ...driverInfo } = subject.node.driverInfo;
      try {
        subject.implementation.validate(subject.task({ driverInfo }));
        expect.fail(`${name} is required and was not asked for`);
      } catch (error) {
        expect(isServiceError(error, 'MISSING_PARAMETER') && error.publicMessage).toContain(name);
      }
    }
    await subject.close();
  });
}

export function describePowerInterface(name: string, make: MakeSubject<PowerInterface>): void {
  describe(`power interface ${name}`, () => {
    describeProperties(make);

    it('tells the state, and reaches what it is told; a repeat changes nothing', async () => {
      const subject = await make();
      const { implementation: power } = subject;
      const state = () => subject.during(power.getPowerState(subject.task()));
      const order = async (target: 'power on' | 'power off' | 'soft power off') => {
        await subject.during(power.setPowerState(subject.task(), target));
        await subject.settle();
      };
      expect(await state()).toBe('power off');
      await order('power off');
      expect(await state()).toBe('power off');
      await order('soft power off');
      expect(await state()).toBe('power off');
      await order('power on');
      expect(await state()).toBe('power on');
      await order('power on');
      expect(await state()).toBe('power on');
      await subject.during(power.reboot(subject.task()));
      await subject.settle();
      expect(await state()).toBe('power on');
      await order('soft power off');
      expect(await state()).toBe('power off');
      await subject.during(power.reboot(subject.task()));
      await subject.settle();
      expect(await state()).toBe('power on');
      await subject.close();
    });

    it('gives no order when the conductor may not, and still reads', async () => {
      const subject = await make();
      subject.mayOrder = false;
      await expect(subject.during(subject.implementation.setPowerState(subject.task(), 'power on'))).rejects.toThrow();
      await expect(subject.during(subject.implementation.reboot(subject.task()))).rejects.toThrow();
      subject.mayOrder = true;
      await subject.settle();
      expect(await subject.during(subject.implementation.getPowerState(subject.task()))).toBe('power off');
      await subject.close();
    });

    it('supports at least on and off', async () => {
      const subject = await make();
      expect(subject.implementation.supportedPowerStates(subject.task())).toEqual(
        expect.arrayContaining(['power on', 'power off']),
      );
      await subject.close();
    });
  });
}

/** `isFixed`: the boot order is none of its business, and what it tells of it is always the same. */
export function describeManagementInterface(
  name: string,
  make: MakeSubject<ManagementInterface>,
  { isFixed = false } = {},
): void {
  describe(`management interface ${name}`, () => {
    describeProperties(make);

    it('keeps the boot device that it is told, and refuses one that it does not support', async () => {
      const subject = await make();
      const { implementation: management } = subject;
      for (const device of management.supportedBootDevices(subject.task()))
        for (const isPersistent of [false, true]) {
          await subject.during(management.setBootDevice(subject.task(), device, isPersistent));
          await subject.during(management.setBootDevice(subject.task(), device, isPersistent));
          const told = await subject.during(management.getBootDevice(subject.task()));
          expect(told).toEqual(isFixed ? { device: 'pxe', isPersistent: true } : { device, isPersistent });
        }
      await expect(subject.during(management.setBootDevice(subject.task(), 'floppy', false))).rejects.toMatchObject({
        code: 'INVALID_PARAMETER',
      });
      await subject.close();
    });

    it('gives no order when the conductor may not', async () => {
      const subject = await make();
      subject.mayOrder = false;
      const [device] = subject.implementation.supportedBootDevices(subject.task());
      await expect(
        subject.during(subject.implementation.setBootDevice(subject.task(), device!, false)),
      ).rejects.toThrow();
      await subject.close();
    });
  });
}

export function describeDeployInterface(name: string, make: MakeSubject<DeployInterface>): void {
  describe(`deploy interface ${name}`, () => {
    describeProperties(make);

    it('plans only steps that somebody can do', async () => {
      const subject = await make();
      const { implementation: deploy } = subject;
      const task = subject.task();
      const { before, after } = deploy.ramdisk(task, 'clean');
      const rows = (input: JsonObject) =>
        (deploy.steps?.(task, 'deploy') ?? []).flatMap(
          (step) => step.rows?.({}, input) ?? [driverStep('deploy', step, {}, step.priority)],
        );
      const tornDown = deploy.planTearDown(task).flatMap((segment) => segment.steps);
      for (const plan of [rows({}), rows({ configure: { playbook: '' } }), tornDown]) {
        expect(plan.length).toBeGreaterThan(0);
        for (const step of [...before, ...plan, ...after]) {
          if (step.source === 'driver') expect(deploy.runStep, step.step).toBeDefined();
          else
            expect(step.inBand ? Object.hasOwn(AGENT_STEPS, step.step) : isConductorStep(step.step), step.step).toBe(
              true,
            );
        }
      }
      expect(tornDown.at(-1)?.step).toBe('tear_down');
      await subject.close();
    });
  });
}
