/** What a machine says of itself in its request for a script. Pure: all of it is hostile until it has passed here. */

export interface ScriptRequest {
  /** Lower case, with colons. */
  readonly mac: string;
  readonly uuid?: string;
  readonly serial?: string;
  readonly arch?: string;
  readonly platform?: string;
}

/** The machine, or undefined when it does not say its MAC. Other values that are not of their form count as not said. */
export function readScriptRequest(query: URLSearchParams): ScriptRequest | undefined {
  const mac = (query.get('mac') ?? '').toLowerCase().replaceAll('-', ':');
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) return undefined;
  const take = (name: string, form: RegExp) => {
    const value = (query.get(name) ?? '').trim();
    return form.test(value) ? value : undefined;
  };
  const uuid = take('uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)?.toLowerCase();
  // Printable ASCII: what SMBIOS strings are made of (DSP0134 section 6.1.3).
  const serial = take('serial', /^[\x20-\x7e]{1,128}$/);
  const arch = take('arch', /^[a-z0-9_]{1,16}$/);
  const platform = take('platform', /^[a-z0-9_]{1,16}$/);
  return {
    mac,
    ...(uuid ? { uuid } : {}),
    ...(serial ? { serial } : {}),
    ...(arch ? { arch } : {}),
    ...(platform ? { platform } : {}),
  };
}
