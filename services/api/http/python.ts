/** Values as Ironic prints them: its sentences repeat what was sent the way Python shows it. */
import type { Json } from '@bessemer/core';

/** As `repr` does. */
export function inPython(value: Json | undefined): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(inPython).join(', ')}]`;
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([k, v]) => `'${k}': ${inPython(v)}`)
      .join(', ')}}`;
  return String(value);
}
