/** The static network configuration of a node, in the form of OpenStack's network_data.json: links, networks, services. */
import { isJsonObject, type Json, type JsonObject } from '@bessemer/core';
import { inPython } from '../http/python.ts';

const PARTS = ['links', 'networks', 'services'] as const;
/** What each entry of a part must name. A VLAN has an address of its own name. */
const REQUIRED: Readonly<Record<(typeof PARTS)[number], readonly string[]>> = {
  links: ['id', 'type'],
  networks: ['id', 'link', 'type'],
  services: ['address', 'type'],
};

function entryProblem(part: (typeof PARTS)[number], entry: Json): string | undefined {
  if (!isJsonObject(entry)) return `${inPython(entry).slice(0, 60)} in ${part} is not of type 'object'`;
  const missing = REQUIRED[part].find((name) => !Object.hasOwn(entry, name));
  if (missing !== undefined) return `'${missing}' is a required property of each of ${part}`;
  const wrong = REQUIRED[part].find((name) => typeof entry[name] !== 'string');
  if (wrong !== undefined) return `${wrong} of each of ${part} must be a string`;
  if (part === 'links' && !['ethernet_mac_address', 'vlan_mac_address'].some((name) => Object.hasOwn(entry, name)))
    return `'ethernet_mac_address' is a required property of each of links`;
  return undefined;
}

/** What is wrong with it, or undefined. */
export function networkDataProblem(data: JsonObject): string | undefined {
  const missing = PARTS.find((part) => !Object.hasOwn(data, part));
  if (missing !== undefined) return `'${missing}' is a required property`;
  for (const part of PARTS) {
    const entries = data[part]!;
    if (!Array.isArray(entries)) return `${inPython(entries).slice(0, 60)} is not of type 'array'`;
    for (const entry of entries) {
      const problem = entryProblem(part, entry);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}
