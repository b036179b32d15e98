import { expect, it } from 'vitest';
import { parseAnswer, parseRequest } from './messages.ts';
import { conductorFor } from './placement.ts';
import { checkArgs, contractHash, METHOD_SCHEMAS } from './schemas.ts';

const NODE = '11111111-2222-4333-8444-555555555555';

it('has not changed by accident: a release must understand the messages of the one before', () => {
  expect(contractHash()).toBe('b65aee5e8f51e245233614c47da74e4cd13ddaecfb78846dc1c3b4b47de5a4e6');
});

it('requires every argument and takes no other', () => {
  for (const method of Object.keys(METHOD_SCHEMAS) as Array<keyof typeof METHOD_SCHEMAS>)
    expect(() => checkArgs(method, {}), method).toThrow(/must have required property/);
  expect(() => checkArgs('injectNmi', { nodeUuid: NODE, more: 1 })).toThrow(/additional properties \(more\)/);
  expect(() => checkArgs('injectNmi', { nodeUuid: NODE.replace('1', 'G') })).toThrow(/nodeUuid must match pattern/);
  expect(() => checkArgs('injectNmi', { nodeUuid: NODE })).not.toThrow();
});

it('never repeats a wrong argument in its complaint', () => {
  const wrong = { nodeUuid: NODE, rescuePassword: { hunter2: 'hunter2' } };
  expect(() => checkArgs('doNodeRescue', wrong)).toThrow(/^(?!.*hunter2).*rescuePassword must be string/);
});

it('takes no text from the bus for more than it is', () => {
  for (const text of ['', '{', 'null', '[]', '{"method":1,"requestId":"a","args":{}}', '{"method":"m","args":{}}'])
    expect(parseRequest(text)).toBeUndefined();
  for (const text of [
    '',
    '[]',
    '{"ok":true}',
    '{"ok":false}',
    '{"ok":false,"error":{"code":1}}',
    '{"ok":1,"result":2}',
  ])
    expect(parseAnswer(text)).toBeUndefined();
  expect(parseAnswer('{"ok":true,"result":null}')).toEqual({ ok: true, result: null });
});

const conductor = (hostname: string, conductorGroup = '', alive = true) => ({
  hostname,
  conductorGroup,
  alive,
  drivers: [{ name: 'ipmi' }],
});

it('places a node on the same conductor everywhere', () => {
  const three = ['a', 'b', 'c'].map((name) => conductor(name));
  const place = (uuid: string) => conductorFor({ uuid, driver: 'ipmi', conductorGroup: '' }, three);
  expect(Array.from({ length: 10 }, (_, i) => place(`node-${i}`)).join('')).toBe('cacacbaabc');
});

it('places no node on a conductor that is dead, of another group or without its driver', () => {
  const node = { uuid: NODE, driver: 'ipmi', conductorGroup: 'Rack1' };
  expect(conductorFor(node, [conductor('a'), conductor('b', 'rack1', false)])).toBeUndefined();
  expect(conductorFor({ ...node, driver: 'redfish' }, [conductor('a', 'rack1')])).toBeUndefined();
  expect(conductorFor(node, [conductor('a', 'rack1')])).toBe('a');
});

it('moves only the share of a conductor that goes', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const all = names.map((name) => conductor(name));
  for (let i = 0; i < 200; i++) {
    const node = { uuid: `node-${i}`, driver: 'ipmi', conductorGroup: '' };
    const before = conductorFor(node, all);
    const after = conductorFor(
      node,
      all.filter((c) => c.hostname !== 'c'),
    );
    if (before !== 'c') expect(after).toBe(before);
  }
});
