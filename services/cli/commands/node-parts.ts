/** What belongs to a node: management, console, virtual interfaces and media, settings, firmware, history. */
import { isOn, type Invocation, listOption, type Run, textOption } from '../command.ts';
import { usageError } from '../errors.ts';
import type { Value } from '../output/python.ts';
import { BIOS_SETTING, HISTORY, presentFields } from './fields.ts';
import { nodePath } from './node.ts';
import { fieldsOption, fieldsQuery, keyValues, listOf, oneOf, record, type Record_ } from './values.ts';

/** An order: a request with a body and no answer. */
const put =
  (below: string, bodyOf: (invocation: Invocation) => unknown): Run =>
  async (invocation) => {
    await invocation.api.request('PUT', nodePath(invocation.args, below), { body: bodyOf(invocation) });
    return undefined;
  };

const itemsOf = (answer: Value, key: string): readonly Record_[] => {
  const items = record(answer)[key];
  return Array.isArray(items) ? (items as Record_[]) : [];
};

export const setBootDevice = put('/management/boot_device', ({ args, options }) => ({
  boot_device: args[1]!,
  persistent: isOn(options, 'persistent'),
}));
export const showBootDevice: Run = async ({ args, options, api }) => {
  if (!isOn(options, 'supported')) return oneOf(record(await api.get(nodePath(args, '/management/boot_device'))), []);
  const answer = record(await api.get(nodePath(args, '/management/boot_device/supported')));
  const devices = answer['supported_boot_devices'];
  return oneOf({ ...answer, supported_boot_devices: Array.isArray(devices) ? devices.join(', ') : '' }, []);
};
export const setBootMode = put('/states/boot_mode', ({ args }) => ({ target: args[1]! }));
export const secureBootOn = put('/states/secure_boot', () => ({ target: true }));
export const secureBootOff = put('/states/secure_boot', () => ({ target: false }));
export const injectNmi = put('/management/inject_nmi', () => ({}));

export const enableConsole = put('/states/console', () => ({ enabled: true }));
export const disableConsole = put('/states/console', () => ({ enabled: false }));
export const showConsole: Run = async ({ args, api }) =>
  oneOf(record(await api.get(nodePath(args, '/states/console'))), []);

export const listVifs: Run = async ({ args, api }) =>
  listOf(itemsOf(await api.get(nodePath(args, '/vifs')), 'vifs'), ['id']);
export const attachVif: Run = async ({ args, options, api }) => {
  const info = keyValues(listOption(options, 'vifInfo'));
  if ('id' in info) throw usageError('--vif-info has no id: that is the argument <vif-id>.');
  const body: Record<string, unknown> = { id: args[1]!, ...info };
  const [port, group] = [textOption(options, 'portUuid'), textOption(options, 'portgroupUuid')];
  if (port !== undefined) body['port_uuid'] = port;
  if (group !== undefined) body['portgroup_uuid'] = group;
  await api.request('POST', nodePath(args, '/vifs'), { body });
  return undefined;
};
export const detachVif: Run = async ({ args, api }) => {
  await api.request('DELETE', nodePath(args, `/vifs/${encodeURIComponent(args[1]!)}`));
  return undefined;
};

export const listVmedia: Run = async ({ args, api }) => {
  const items = itemsOf(await api.get(nodePath(args, '/vmedia')), 'vmedia');
  const fields = [...new Set(items.flatMap((item) => Object.keys(item)))].filter((field) => field !== 'links');
  return listOf(items, fields.length > 0 ? fields : ['device_type', 'image_url']);
};
export const attachVmedia: Run = async ({ args, options, api }) => {
  const source = textOption(options, 'imageDownloadSource');
  const body = {
    device_type: args[1]!,
    image_url: args[2]!,
    ...(source === undefined ? {} : { image_download_source: source }),
  };
  await api.request('POST', nodePath(args, '/vmedia'), { body });
  return undefined;
};
export const detachVmedia: Run = async ({ args, options, api }) => {
  const types = listOption(options, 'deviceType');
  const query = types.length === 0 ? {} : { device_types: types.join(',') };
  await api.request('DELETE', nodePath(args, '/vmedia'), { query });
  return undefined;
};

export const listBiosSettings: Run = async ({ args, options, api }) => {
  const isLong = isOn(options, 'long');
  const query = isLong ? { detail: 'True' } : fieldsQuery(options);
  const settings = itemsOf(await api.get(nodePath(args, '/bios'), query), 'bios');
  const wanted = fieldsOption(options);
  if (isLong || wanted) return listOf(settings, wanted ?? BIOS_SETTING.longFields);
  return listOf(settings, BIOS_SETTING.fields, ['BIOS setting name', 'BIOS setting value']);
};
export const showBiosSetting: Run = async ({ args, api }) => {
  const name = args[1]!;
  const answer = record(await api.get(nodePath(args, `/bios/${encodeURIComponent(name)}`)));
  return oneOf(record(answer[name] ?? {}), ['links']);
};

export const listFirmware: Run = async ({ args, api }) => {
  const components = itemsOf(await api.get(nodePath(args, '/firmware')), 'firmware');
  const fields = [
    'component',
    'initial_version',
    'current_version',
    'last_version_flashed',
    'created_at',
    'updated_at',
  ];
  return listOf(components, fields);
};

export const listChildren: Run = async ({ args, api }) => {
  const children = record(await api.get(nodePath(args, '/children')))['children'];
  const items = Array.isArray(children) ? children.map((child: Value): Record_ => ({ children: child })) : [];
  return listOf(items, ['children']);
};

export const listHistory: Run = async ({ args, options, api }) => {
  const isLong = isOn(options, 'long');
  const events = itemsOf(await api.get(nodePath(args, '/history'), isLong ? { detail: 'True' } : {}), 'history');
  return listOf(events, isLong ? presentFields(HISTORY, events) : HISTORY.fields);
};
export const showHistoryEvent: Run = async ({ args, api }) =>
  oneOf(record(await api.get(nodePath(args, `/history/${encodeURIComponent(args[1]!)}`))), ['links']);

export const saveInventory: Run = async ({ args, options, api, io }) => {
  const { dumps } = await import('../output/python.ts');
  const text = dumps(await api.get(nodePath(args, '/inventory')), undefined);
  const file = textOption(options, 'file');
  if (file === undefined) io.out(`${text}\n`);
  else io.writeFile(file, text);
  return undefined;
};
