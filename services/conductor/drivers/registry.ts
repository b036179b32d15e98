/** Hardware types list the names of implementations; this maps (kind, name) to code and resolves a node's choice when it is used. */
import type { DriverDescription, DriverProperty, InterfaceKind, Node } from '@bessemer/core';
import { INTERFACE_KINDS, ServiceError } from '@bessemer/core';
import type { HardwareInterfaces } from './interfaces.ts';

/** A hardware type: per kind the implementations it supports, the default first. */
export interface HardwareType {
  readonly name: string;
  readonly supported: Readonly<Record<InterfaceKind, readonly [string, ...string[]]>>;
}

export interface DriverRegistry {
  /** Adds an implementation. @throws Error for a name that is taken. */
  register<K extends InterfaceKind>(kind: K, name: string, implementation: HardwareInterfaces[K]): void;
  /** Adds a hardware type. @throws Error when it lists an implementation that is not registered. */
  addType(type: HardwareType): void;
  /** The name of the implementation that the node uses for a kind: its own choice, else its type's default. @throws DRIVER_NOT_FOUND. */
  nameOf(node: Pick<Node, 'driver' | 'interfaces'>, kind: InterfaceKind): string;
  /** The implementation. @throws DRIVER_NOT_FOUND, INTERFACE_NOT_SUPPORTED when the node's type does not list it. */
  get<K extends InterfaceKind>(node: Pick<Node, 'driver' | 'interfaces'>, kind: K): HardwareInterfaces[K];
  /** What the API is told of each enabled type. */
  descriptions(): DriverDescription[];
}

/** @param enabledTypes the operator's `enabled_hardware_types`; others are added and never used. */
export function createDriverRegistry(enabledTypes: readonly string[]): DriverRegistry {
  const implementations = new Map<string, HardwareInterfaces[InterfaceKind]>();
  const types = new Map<string, HardwareType>();
  const key = (kind: InterfaceKind, name: string): string => `${kind}|${name}`;

  function typeOf(driver: string): HardwareType {
    const type = types.get(driver);
    if (!type || !enabledTypes.includes(driver))
      throw new ServiceError(
        'DRIVER_NOT_FOUND',
        `Could not find the following driver(s) or hardware type(s): ${driver}. Enabled here: ${enabledTypes.join(', ')}.`,
      );
    return type;
  }
  function nameOf(node: Pick<Node, 'driver' | 'interfaces'>, kind: InterfaceKind): string {
    return node.interfaces[kind] ?? typeOf(node.driver).supported[kind][0];
  }

  return {
    register(kind, name, implementation) {
      if (implementations.has(key(kind, name))) throw new Error(`${kind} interface ${name} is registered twice`);
      implementations.set(key(kind, name), implementation);
    },
    addType(type) {
      for (const kind of INTERFACE_KINDS)
        for (const name of type.supported[kind])
          if (!implementations.has(key(kind, name)))
            throw new Error(`hardware type ${type.name} lists ${kind} interface ${name}, which is not registered`);
      types.set(type.name, type);
    },
    nameOf,
    get<K extends InterfaceKind>(node: Pick<Node, 'driver' | 'interfaces'>, kind: K): HardwareInterfaces[K] {
      const type = typeOf(node.driver);
      const name = nameOf(node, kind);
      if (!type.supported[kind].includes(name))
        throw new ServiceError(
          'INTERFACE_NOT_SUPPORTED',
          `Could not find the ${kind} interface ${name} for hardware type ${type.name}. ` +
            `Valid ${kind} interfaces are ${type.supported[kind].join(', ')}.`,
        );
      return implementations.get(key(kind, name)) as HardwareInterfaces[K];
    },
    descriptions() {
      return [...types.values()]
        .filter((type) => enabledTypes.includes(type.name))
        .map((type) => {
          const properties: Record<string, DriverProperty> = {};
          for (const kind of INTERFACE_KINDS)
            for (const name of type.supported[kind])
              Object.assign(properties, implementations.get(key(kind, name))!.properties);
          return {
            name: type.name,
            interfaces: type.supported,
            defaults: Object.fromEntries(
              INTERFACE_KINDS.map((kind) => [kind, type.supported[kind][0]]),
            ) as DriverDescription['defaults'],
            properties,
          };
        });
    },
  };
}
