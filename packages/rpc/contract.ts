/**
 * What the API may ask of a conductor. A `call` is answered (or fails with a ServiceError), a `cast` is a bell: what must not
 * be lost is a row first. Every call carries a request id; a repeat gets the first answer. Client and handler types are both
 * made from this table, and a hash of it is pinned by a test.
 */
import type { InterfaceKind, Json, JsonObject, PowerTarget } from '@bessemer/core';

export interface BootDevice extends JsonObject {
  boot_device: string | null;
  persistent: boolean | null;
}

export type ValidationResult = { [K in InterfaceKind]?: { result: boolean | null; reason?: string } };

/** Arguments and results are JSON. Secrets among the arguments are never logged. */
export interface RpcMethods {
  changeNodePowerState: {
    kind: 'call';
    args: { nodeUuid: string; target: PowerTarget; timeoutS: number | null };
    result: Accepted;
  };
  doNodeDeploy: {
    kind: 'call';
    args: {
      nodeUuid: string;
      rebuild: boolean;
      configDrive: JsonObject | string | null;
      deploySteps: JsonObject[] | null;
    };
    result: Accepted;
  };
  doNodeTearDown: { kind: 'call'; args: { nodeUuid: string }; result: Accepted };
  doNodeClean: {
    kind: 'call';
    args: { nodeUuid: string; cleanSteps: JsonObject[]; disableRamdisk: boolean };
    result: Accepted;
  };
  doNodeService: {
    kind: 'call';
    args: { nodeUuid: string; serviceSteps: JsonObject[]; disableRamdisk: boolean };
    result: Accepted;
  };
  doNodeRescue: { kind: 'call'; args: { nodeUuid: string; rescuePassword: string }; result: Accepted };
  doNodeUnrescue: { kind: 'call'; args: { nodeUuid: string }; result: Accepted };
  inspectHardware: { kind: 'call'; args: { nodeUuid: string }; result: Accepted };
  /** manage, provide, adopt, abort, unhold. */
  doProvisioningAction: {
    kind: 'call';
    args: { nodeUuid: string; action: 'manage' | 'provide' | 'adopt' | 'abort' | 'unhold' };
    result: Accepted;
  };
  /** Goes on with a failed deployment at the step (or the task) that failed. */
  retryRun: { kind: 'call'; args: { nodeUuid: string }; result: Accepted };
  configureNode: {
    kind: 'call';
    args: { nodeUuid: string; playbook: string; variables: JsonObject };
    result: Accepted;
  };
  validateDriverInterfaces: { kind: 'call'; args: { nodeUuid: string }; result: ValidationResult };
  getBootDevice: { kind: 'call'; args: { nodeUuid: string }; result: BootDevice };
  setBootDevice: { kind: 'call'; args: { nodeUuid: string; device: string; persistent: boolean }; result: null };
  getSupportedBootDevices: { kind: 'call'; args: { nodeUuid: string }; result: { supported_boot_devices: string[] } };
  injectNmi: { kind: 'call'; args: { nodeUuid: string }; result: null };
  /** `console_info` null: it is not enabled. @throws UNSUPPORTED_DRIVER_EXTENSION, as do all below for hardware without it. */
  getConsole: { kind: 'call'; args: { nodeUuid: string }; result: { console_info: JsonObject | null } };
  setConsole: { kind: 'call'; args: { nodeUuid: string; enabled: boolean }; result: null };
  changeBootMode: { kind: 'call'; args: { nodeUuid: string; mode: 'bios' | 'uefi' }; result: null };
  changeSecureBoot: { kind: 'call'; args: { nodeUuid: string; isOn: boolean }; result: null };
  listIndicators: { kind: 'call'; args: { nodeUuid: string }; result: { components: Indicators } };
  getIndicator: {
    kind: 'call';
    args: { nodeUuid: string; component: string; name: string };
    result: { state: string };
  };
  setIndicator: {
    kind: 'call';
    args: { nodeUuid: string; component: string; name: string; state: string };
    result: null;
  };
  listVirtualMedia: { kind: 'call'; args: { nodeUuid: string }; result: { media: JsonObject[] } };
  attachVirtualMedia: { kind: 'call'; args: { nodeUuid: string; device: string; imageUrl: string }; result: null };
  detachVirtualMedia: { kind: 'call'; args: { nodeUuid: string; devices: string[] | null }; result: null };
  listVendorMethods: { kind: 'call'; args: { nodeUuid: string }; result: { methods: JsonObject } };
  /** A method that is async has only begun when this answers. @throws INVALID_PARAMETER for a method that is none. */
  callVendorMethod: {
    kind: 'call';
    args: { nodeUuid: string; method: string; httpMethod: string; info: JsonObject };
    result: { isAsync: boolean; result: Json };
  };
  /**
   * Finds a node for an allocation, or (nodeUuid) records the node that an active instance has. Without nodeUuid the outcome
   * is in the allocation's row; with it @throws ALLOCATION_FAILED, NODE_LOCKED, NODE_ASSOCIATED.
   */
  allocate: { kind: 'call'; args: { allocationUuid: string; nodeUuid: string | null }; result: null };
  /** A row changed: look at it. */
  wakeRun: { kind: 'cast'; args: { runId: string } };
}

/** Lamps by component and name. */
export type Indicators = Record<string, Record<string, { readonly: boolean; states: string[] }>>;

/** The work is a row now; `runId` names it (null when nothing was left to do). */
export interface Accepted extends JsonObject {
  runId: string | null;
}

export type RpcMethod = keyof RpcMethods;
export type RpcCall = { [M in RpcMethod]: RpcMethods[M] extends { kind: 'call' } ? M : never }[RpcMethod];
export type RpcCast = Exclude<RpcMethod, RpcCall>;
type Result<M extends RpcMethod> = RpcMethods[M] extends { result: infer R } ? R : void;

/** What the API holds. `host` is a conductor's host name (see conductorFor). @throws ServiceError; TEMPORARY_FAILURE when nobody answers in time. */
export interface RpcClient {
  call<M extends RpcCall>(
    host: string,
    method: M,
    args: RpcMethods[M]['args'],
    options: { requestId: string; timeoutMs?: number },
  ): Promise<Result<M>>;
  cast<M extends RpcCast>(host: string, method: M, args: RpcMethods[M]['args']): void;
  /** Rings on every process that listens: `topic` only, details are in the database. */
  ring(topic: 'events'): void;
  onRing(topic: 'events', listener: () => void): () => void;
  close(): Promise<void>;
}

/** What a conductor implements. */
export type RpcHandlers = {
  [M in RpcMethod]: (args: RpcMethods[M]['args'], context: { requestId: string }) => Promise<Result<M>>;
};

export interface RpcServer {
  close(): Promise<void>;
}

/** One bus, in process or RabbitMQ. */
export interface RpcTransport {
  serve(host: string, handlers: RpcHandlers): Promise<RpcServer>;
  client(): Promise<RpcClient>;
  close(): Promise<void>;
}
