import { expect, it } from 'vitest';
import { matchEventTypes, severitiesFrom } from './event-filter.ts';
import { EVENT_TYPES } from './events.ts';

const typesOf = (...patterns: string[]) => {
  const result = matchEventTypes(patterns);
  return result.ok ? result.types : result.error;
};

it('patterns stand for the types that they fit', () => {
  expect(typesOf('run.finished')).toEqual(['run.finished']);
  expect(typesOf('step.*')).toEqual(['step.started', 'step.done', 'step.failed']);
  expect(typesOf('*.failed', 'step.failed')).toEqual(['step.failed']);
  expect(typesOf('*')).toEqual(Object.keys(EVENT_TYPES));
  expect(typesOf('n*.*_state')).toEqual(['node.provision_state', 'node.power_state']);
  expect(typesOf()).toEqual([]);
});

it('a pattern that fits nothing is named', () => {
  for (const wrong of ['', 'step', 'step.', 'Step.*', 'step.**failedx', '*a*b*c*d*e*', 'node.*e.deleted', 'toString'])
    expect(matchEventTypes(['step.*', wrong]), wrong).toMatchObject({ ok: false, pattern: wrong });
});

it('a severity stands for itself and what is worse', () => {
  expect([severitiesFrom('info'), severitiesFrom('warning'), severitiesFrom('error')]).toEqual([
    ['info', 'warning', 'error'],
    ['warning', 'error'],
    ['error'],
  ]);
});
