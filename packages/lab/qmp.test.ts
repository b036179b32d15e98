import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createQmpSession, decodeQmp, encodeQmp, lineSplitter } from './qmp.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** As QEMU 7.2 sends it. */
const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 19, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}\r\n';

test('reads what QEMU sends', () => {
  expect(decodeQmp(GREETING)).toEqual({ kind: 'greeting' });
  expect(decodeQmp('{"return": {}, "id": 7}')).toEqual({ kind: 'return', id: 7, value: {} });
  expect(decodeQmp('{"id": 3, "error": {"class": "GenericError", "desc": "Device not found"}}')).toEqual({
    kind: 'error',
    id: 3,
    message: 'Device not found',
  });
  expect(
    decodeQmp(
      '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESET", "data": {"guest": true, "reason": "guest-reset"}}',
    ),
  ).toEqual({ kind: 'event', name: 'RESET', data: { guest: true, reason: 'guest-reset' } });
});

test('never throws on what is no QMP', () => {
  const hasKind = (line: string): boolean => typeof decodeQmp(line).kind === 'string';
  fc.assert(fc.property(fc.string(), hasKind));
  fc.assert(fc.property(fc.jsonValue(), (value) => hasKind(JSON.stringify(value))));
});

test('lines come whole however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 30 }), (cuts) => {
      const text = bytes('{"a":"é€"}\n{"b":2}\n');
      const lines: Array<string | undefined> = [];
      const push = lineSplitter((line) => lines.push(line));
      let at = 0;
      for (const cut of cuts) {
        push(text.subarray(at, at + cut));
        at += cut;
      }
      push(text.subarray(at));
      expect(lines).toEqual(['{"a":"é€"}', '{"b":2}']);
    }),
  );
});

test('an endless line is dropped once and the next one read', () => {
  const lines: Array<string | undefined> = [];
  const push = lineSplitter((line) => lines.push(line));
  for (let i = 0; i < 40; i++) push(bytes('x'.repeat(100_000)));
  push(bytes('end\nnext\n'));
  expect(lines).toEqual([undefined, 'next']);
});

test('negotiates, matches answers to commands in any order, and passes events on', async () => {
  const sent: string[] = [];
  const session = createQmpSession({ send: (line) => sent.push(line) });
  const events: string[] = [];
  session.onEvent((name) => events.push(name));
  session.receive(bytes(GREETING));
  expect(sent).toEqual([encodeQmp(1, 'qmp_capabilities')]);
  session.receive(bytes('{"return": {}, "id": 1}\n'));
  await session.ready;
  const first = session.execute('query-status');
  const second = session.execute('qom-set', { path: '/x', property: 'bootindex', value: 1 });
  session.receive(bytes('{"event": "RESET", "data": {}}\n{"error": {"desc": "no such"}, "id": 3}\n'));
  session.receive(bytes('{"return": {"status": "running"}, "id": 2}\n'));
  await expect(second).rejects.toThrow('QMP qom-set: no such');
  expect(await first).toEqual({ status: 'running' });
  expect(events).toEqual(['RESET']);
});

test('what is pending fails when QEMU goes, and so does what comes after', async () => {
  const session = createQmpSession({ send() {} });
  const pending = session.execute('system_reset');
  session.close('QEMU is gone');
  await expect(pending).rejects.toThrow('QMP system_reset: QEMU is gone');
  await expect(session.ready).rejects.toThrow('QEMU is gone');
  await expect(session.execute('stop')).rejects.toThrow('QEMU is gone');
});
