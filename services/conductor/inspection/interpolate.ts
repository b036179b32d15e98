/** Replacement fields in the texts of inspection rules: `{inventory[cpu][count]}`, `{node.driver}`, `{item}`, as Python writes them. */
import { isJsonObject, type Json, type JsonObject } from '@bessemer/core';

const FIELD = /\{\{|\}\}|\{([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*|\[[^\][{}]*\])*)\}/g;
const PART = /\.([A-Za-z_]\w*)|\[([^\][{}]*)\]/g;

/** As Python prints it inside a text. */
const shown = (value: Json): string => {
  if (typeof value === 'string') return value;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

function lookUp(context: JsonObject, root: string, path: string): Json | undefined {
  let at: Json | undefined = Object.hasOwn(context, root) ? context[root] : undefined;
  for (const part of path.matchAll(PART)) {
    const name = part[1] ?? part[2]!;
    if (Array.isArray(at)) at = /^\d+$/.test(name) ? at[Number(name)] : undefined;
    else at = isJsonObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    if (at === undefined) return undefined;
  }
  return at;
}

/** A text with a field that leads nowhere stays as it is, or is what `missing` says. */
function fillText(text: string, context: JsonObject, missing: Json | undefined): Json {
  let isMissing = false;
  const filled = text.replaceAll(FIELD, (whole: string, root: string | undefined, path: string) => {
    if (root === undefined) return whole[0]!;
    const value = lookUp(context, root, path);
    if (value === undefined) isMissing = true;
    return value === undefined ? whole : shown(value);
  });
  if (!isMissing) return filled;
  return missing === undefined ? text : missing;
}

/** The value with all its texts filled, at any depth. */
export function fill(value: Json, context: JsonObject, missing?: Json): Json {
  if (typeof value === 'string') return fillText(value, context, missing);
  if (Array.isArray(value)) return value.map((item) => fill(item, context, missing));
  if (isJsonObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, v]) => [String(fillText(name, context, undefined)), fill(v, context, missing)]),
    );
  return value;
}
