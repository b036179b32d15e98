import { expect, it } from 'vitest';
import { masked } from './http.ts';

it('shows no secret of a body, be it a field or what a patch sets', () => {
  const secrets = { ipmi_password: 'S1', ipmi_hex_kg_key: 'S2', snmp_community: 'S3', bmc_credential: 'S4' };
  const shown = masked({
    name: 'n1',
    driver_info: { ...secrets, ipmi_address: '192.0.2.7' },
    configdrive: 'S5',
    owner: null,
  });
  expect(shown).not.toMatch(/S\d/);
  expect(JSON.parse(shown)).toMatchObject({ name: 'n1', driver_info: { ipmi_address: '192.0.2.7' }, owner: null });
  const patch = masked([
    { op: 'add', path: '/driver_info/snmp_priv_key', value: 'S1' },
    { op: 'replace', path: '/driver_info', value: { ...secrets, ipmi_port: 623 } },
    { op: 'add', path: '/extra/rack', value: 7 },
    { op: 'remove', path: '/driver_info/ipmi_password' },
  ]);
  expect(patch).not.toMatch(/S\d/);
  expect(JSON.parse(patch)).toEqual([
    { op: 'add', path: '/driver_info/snmp_priv_key', value: '******' },
    expect.objectContaining({ value: expect.objectContaining({ ipmi_port: 623 }) }),
    { op: 'add', path: '/extra/rack', value: 7 },
    { op: 'remove', path: '/driver_info/ipmi_password' },
  ]);
});
