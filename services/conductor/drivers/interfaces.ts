/** The contracts of hardware interfaces. Names and meanings are Ironic's; each has two to six methods. */
import type {
  AttemptRecord,
  DriverProperty,
  EventType,
  Json,
  JsonObject,
  NewEvent,
  Node,
  OnRepeat,
  Port,
  PowerState,
  PowerTarget,
  Segment,
  Step,
  WaitingFor,
} from '@bessemer/core';
import type { NodeDocumentKind, NodePatch } from '@bessemer/db';
import type { Log } from '@bessemer/ports';
import type { Awaited, StepOutcome } from '../steps/outcome.ts';

/** What a method of an interface may know about the work it belongs to. */
export interface DriverTask {
  readonly node: Node;
  readonly ports: readonly Port[];
  readonly log: Log;
  /**
   * To be called right before each order to hardware. Gives the moment of the monotonic clock after which nothing of the order may
   * leave any more: a process may stand still between this call and the last datagram. @throws TEMPORARY_FAILURE when this
   * conductor may no longer act, STALE_FENCE when another one goes on with the run.
   */
  checkMayOrder(): Promise<number>;
}

/** The flows that take steps from every interface. */
export type StepFlow = 'clean' | 'deploy' | 'service';

/** A step that an interface offers. */
export interface DriverStep {
  readonly step: string;
  /** The higher runs first; 0 runs only when somebody asks for it by name. */
  readonly priority: number;
  /** While it waits, it can be aborted at once; otherwise an abort waits for its end. */
  readonly abortable: boolean;
  readonly requiresRamdisk: boolean;
  /** The arguments that it takes, by name: others are refused. */
  readonly args: Readonly<Record<string, { readonly description: string; readonly required: boolean }>>;
  /** What may be done when a conductor died in the middle of it. */
  readonly onRepeat: OnRepeat;
  /** What it is done by, when it is not one call of `runStep`: rows of a run. `input` is what the request brought along. */
  readonly rows?: (args: JsonObject, input: JsonObject) => readonly Step[];
}

/** Pure: it may be called again. */
export type DocumentChange = (stored: JsonObject) => JsonObject;

/** What a driver's step is given. It looks at the world each time it is called and holds nothing in memory. */
export interface DriverStepTask extends DriverTask {
  readonly step: Step;
  readonly attempt: AttemptRecord;
  /** The wait that this call ends, null at the first call of an attempt. */
  readonly waitingFor: WaitingFor | null;
  readonly nowMs: number;
  /** The deadline of the whole run, ms since the epoch. */
  readonly deadlineMs: number;
  /** What this step has saved; empty at its first attempt. */
  readonly scratch: JsonObject;
  /** Makes `scratch` (merged) and the wait durable at once: before an order whose effect must not be forgotten. */
  save(scratch: JsonObject, waitingFor?: Awaited): Promise<void>;
  /** Written together with the outcome. */
  emit(type: EventType, data: JsonObject, severity?: NewEvent['severity']): void;
  /** Written together with the outcome. */
  patchNode(patch: NodePatch): void;
  /** What an inspection found. Written together with the outcome. */
  storeInventory(found: { readonly inventory: JsonObject; readonly pluginData: JsonObject }): void;
  /** What is known of BIOS or firmware, by setting or component: made anew from what is stored. Written together with the outcome. */
  changeDocument(kind: NodeDocumentKind, change: DocumentChange): void;
}

/** What every interface has. */
export interface DriverInterface {
  /** driver_info properties that it reads, by name. Feeds `validate`, `GET /v1/drivers/{name}/properties` and the docs. */
  readonly properties: Readonly<Record<string, DriverProperty>>;
  /**
   * Checks what the node says, without asking the hardware.
   * @throws MISSING_PARAMETER, INVALID_PARAMETER with a sentence that names the field; UNSUPPORTED_DRIVER_EXTENSION from a `no-*`.
   */
  validate(task: DriverTask): void;
  /** The steps that it offers to a flow; none when absent. */
  steps?(task: DriverTask, flow: StepFlow): readonly DriverStep[];
  /** Begins a step of its own, or goes on with it. @throws ServiceError: `context.isTransient` is tried again a few times. */
  runStep?(task: DriverStepTask): Promise<StepOutcome>;
}

/**
 * The power button. Orders are given, not awaited: who wants to know reads the state until it is the ordered one.
 * @throws BMC_FAILURE with a sentence for people; `context.isTransient` says that a repeat may help.
 */
export interface PowerInterface extends DriverInterface {
  /** The state at this moment: `power on`, `power off`, `error` when the BMC tells neither; null where nobody can know. */
  getPowerState(task: DriverTask): Promise<PowerState | null>;
  /** Orders it. `on` when on and `off` when off are no errors and change nothing; `soft power off` presses the ACPI button. Safe to repeat. */
  setPowerState(task: DriverTask, target: 'power on' | 'power off' | 'soft power off'): Promise<void>;
  /** Orders one hard reset of a node that is on; a node that is off is switched on. Never sent twice by itself. */
  reboot(task: DriverTask): Promise<void>;
  supportedPowerStates(task: DriverTask): readonly PowerTarget[];
  /**
   * True where an order is carried out before `setPowerState` resolves and a repeat of it is nothing at all: then nothing has to be
   * remembered before it. False when absent, as for every real machine.
   */
  actsAtOnce?(task: DriverTask): boolean;
}

export interface BootDeviceSetting {
  /** pxe, disk, cdrom, bios, safe; null when the BMC has no override. */
  readonly device: string | null;
  readonly isPersistent: boolean | null;
}

/** The boot order and the other switches of a BMC. */
export interface ManagementInterface extends DriverInterface {
  supportedBootDevices(task: DriverTask): readonly string[];
  getBootDevice(task: DriverTask): Promise<BootDeviceSetting>;
  /** Sets what the next start (or, persistent, every start) boots from. Safe to repeat. @throws INVALID_PARAMETER for a device that is not supported. */
  setBootDevice(task: DriverTask, device: string, isPersistent: boolean): Promise<void>;
  /** @throws UNSUPPORTED_DRIVER_EXTENSION where the hardware has none. */
  injectNmi(task: DriverTask): Promise<void>;
  // What some BMCs have and others do not.
  readonly firmwareBoot?: FirmwareBootControl;
  readonly indicators?: IndicatorControl;
  readonly virtualMedia?: VirtualMediaControl;
}

/** Boot mode (`bios`, `uefi`) and secure boot, as the firmware has them. Safe to repeat. */
export interface FirmwareBootControl {
  setBootMode(task: DriverTask, mode: 'bios' | 'uefi'): Promise<void>;
  setSecureBoot(task: DriverTask, isOn: boolean): Promise<void>;
}

/** Lamps on a machine, by component (`system`, `chassis`, `drive` ...) and name. */
export interface IndicatorControl {
  list(task: DriverTask): Promise<Record<string, Record<string, { readonly: boolean; states: string[] }>>>;
  /** @throws INVALID_PARAMETER for a component or a lamp that is not there. */
  get(task: DriverTask, component: string, name: string): Promise<string>;
  /** @throws INVALID_PARAMETER for one that is not there, cannot be switched, or has no such state. */
  set(task: DriverTask, component: string, name: string, state: string): Promise<void>;
}

/** Images that a BMC shows to its machine as drives. */
export interface VirtualMediaControl {
  list(task: DriverTask): Promise<JsonObject[]>;
  attach(task: DriverTask, device: string, imageUrl: string): Promise<void>;
  /** Of these kinds; null: all. What is not attached is no error. */
  detach(task: DriverTask, devices: readonly string[] | null): Promise<void>;
}

/** The serial console. */
export interface ConsoleInterface extends DriverInterface {
  start(task: DriverTask): Promise<void>;
  stop(task: DriverTask): Promise<void>;
  /** How to reach it: `type` and `url`, where it can be reached at all. */
  get(task: DriverTask): Promise<JsonObject>;
}

/** What a vendor's hardware can do beyond the standard interfaces; the names are part of the API. */
export interface VendorInterface extends DriverInterface {
  readonly methods: Readonly<Record<string, VendorMethod>>;
}
export interface VendorMethod {
  readonly description: string;
  readonly httpMethods: readonly string[];
  /** Answered with 202 before it is done; what it returns is dropped. */
  readonly isAsync: boolean;
  readonly needsLease: boolean;
  /** @throws MISSING_PARAMETER, INVALID_PARAMETER, before anything is done. */
  check(info: JsonObject): void;
  call(task: DriverTask, info: JsonObject): Promise<Json>;
}

/** How a node gets a ramdisk and gets to its disk: which device to order for which boot. */
export interface BootInterface extends DriverInterface {
  ramdiskBoot(task: DriverTask): { readonly device: string; readonly isPersistent: boolean };
  diskBoot(task: DriverTask): { readonly device: string; readonly isPersistent: boolean };
}

/** What brings up the ramdisk before steps that need it, and what is done with the node after them. */
export interface RamdiskFrame {
  readonly before: readonly Step[];
  readonly after: readonly Step[];
}

/** How a node is deployed, cleaned and serviced. The work itself are steps (`steps('deploy')`); plans do nothing themselves. */
export interface DeployInterface extends DriverInterface {
  /** The part of undeploying before cleaning; its last step is `tear_down`. */
  planTearDown(task: DriverTask): Segment[];
  ramdisk(task: DriverTask, flow: 'clean' | 'service'): RamdiskFrame;
}

export interface InspectInterface extends DriverInterface {
  planInspect(task: DriverTask): Segment[];
}

/** A ramdisk to log in to beside an installed system. The password is in the run's input as `rescuePassword`. */
export interface RescueInterface extends DriverInterface {
  planRescue(task: DriverTask): Segment[];
  planUnrescue(task: DriverTask): Segment[];
}

/** Kinds whose verbs are not built: their implementations say what the node supports and validate. */
export type PassiveInterface = DriverInterface;

/** Every kind of the domain has an entry: `registry.ts` does not compile otherwise. */
export interface HardwareInterfaces {
  power: PowerInterface;
  management: ManagementInterface;
  boot: BootInterface;
  deploy: DeployInterface;
  inspect: InspectInterface;
  bios: PassiveInterface;
  console: ConsoleInterface;
  firmware: PassiveInterface;
  network: PassiveInterface;
  raid: PassiveInterface;
  rescue: RescueInterface;
  storage: PassiveInterface;
  vendor: VendorInterface;
}
