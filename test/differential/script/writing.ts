import type { Side } from '../side.ts';
import { add } from './common.ts';

/** How a request is written, whatever it is about. */
export async function writing(s: Side): Promise<void> {
  await s.node('n');
  await s.node('q');
  const [n, q] = [`/v1/nodes/${s.id('n')}`, `/v1/nodes/${s.id('q')}`];
  for (const path of ['/v1', '/v1/nodes', n, '/nosuch']) await s.send('OPTIONS', path);
  await s.send('HEAD', '/');
  for (const path of [
    '//v1/nodes',
    '/v1/%6eodes/n',
    '/%76%31/nodes/%6e',
    '/v1/nodes/a%20b',
    '/v1/nodes//states',
    '/v1/nodes//',
    `${n}//states`,
    '/v1/nodes/?fields=uuid',
    '/v1/nodes?limit=1&limit=2',
    '/v1/nodes?maintenance=true&maintenance=false',
    '/v1/nodes?driver=a&driver=b',
    '/v1/nodes?nosuch',
    '/v1/nodes?limit',
    '/v1/nodes?&limit=1&',
    '/v1/nodes?limit=%2B1&fields=uuid',
    '/v1/nodes?%6cimit=1&fields=uuid',
    '/v1/nodes?Limit=1',
    '/v1/volume?nosuch=1',
    '/v1?nosuch=1',
  ])
    await s.send('GET', path);
  await s.all([
    ['PUT', '/v1/nodes//maintenance', {}],
    ['PUT', '/v1/nodes//states/power', { target: 'power on' }],
    ['DELETE', '/v1/nodes//maintenance'],
    ['DELETE', `${n}/vifs/`],
    ['PUT', `${n}/traits`, { traits: [] }],
    ['PUT', `${n}/traits/CUSTOM_A`],
    ['PUT', `${q}/maintenance?reason=fan`],
    ['PUT', `${q}/maintenance?reason=fan`, { reason: 'fan' }],
    ['PUT', `${q}/maintenance?reason=fan&nosuch=1`],
    ['DELETE', `${q}/maintenance?reason=fan`],
    ['DELETE', `${q}/maintenance`],
    ['PUT', `${q}/states/power?target=power%20on`],
    ['GET', `${q}/states`],
    ['PUT', `${q}/states/power?target=power%20off`, {}],
    ['PUT', `${q}/states/power?timeout=x`, { target: 'power on' }],
    ['PUT', `${q}/states/power?target=power%20on&timeout=5`],
    ['PUT', `${q}/states/power?target=power%20on&target=power%20off`],
    ['PUT', `${q}/states/power?target=power%20on`, { target: 'power on' }],
    ['PUT', `${q}/states/power?target=`],
    ['PUT', `${q}/states/power?timeout=5`],
    ['PUT', `${q}/states/console?enabled=true`],
    ['GET', `${q}/states/console`],
    ['PUT', `${q}/states/console?enabled=maybe`],
    ['PUT', `${q}/states/boot_mode?target=nosuch`],
    ['PUT', `${q}/states/secure_boot?target=nosuch`],
    ['PUT', `${q}/management/boot_device?boot_device=pxe&persistent=true`],
    ['PUT', `${q}/management/boot_device?persistent=maybe`, { boot_device: 'pxe' }],
    ['PUT', `${q}/states/provision?target=manage`],
    ['GET', `${q}/states`],
    ['PUT', `${q}/states/provision?target=nosuch`],
    ['PUT', `${q}/states/provision?target=clean`, { clean_steps: [{ interface: 'bios', step: 'factory_reset' }] }],
    ['PUT', `${q}/states/provision?target=clean&clean_steps=x`],
    ['PUT', `${q}/states/provision?target=provide&disable_ramdisk=maybe`],
    ['PUT', `${q}/states?target=power%20on`],
    ['PUT', `${n}/traits?traits=CUSTOM_A`],
    ['PATCH', n, `\uFEFF${JSON.stringify(add('/extra/bom', 1))}`],
  ]);
  for (const type of ['application/json; charset=utf-8', 'application/json-patch+json', 'text/plain'])
    await s.send('PATCH', n, add('/extra/type', type), { headers: { 'Content-Type': type } });
  await s.send('PUT', `${q}/states/power`, { target: 'power on' }, { headers: { 'Content-Type': 'text/plain' } });
  for (const accept of ['*/*', 'application/*', 'application/json;q=0.1, text/html', 'application/xml'])
    await s.send('GET', n, undefined, { headers: { Accept: accept } });
  // Last: the two are not the same after it.
  await s.send('PATCH', q, '[{"op":"add","path":"/extra/number","value":9007199254740993}]');
}
