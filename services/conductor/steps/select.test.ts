import type { InterfaceKind } from '@bessemer/core';
import { describe, expect, it } from 'vitest';
import {
  automatedSteps,
  type KnownStep,
  parseUserSteps,
  requestedSteps,
  rowsOf,
  type SelectedStep,
  selectSteps,
  type UserStep,
} from './select.ts';

const known = (id: string, priority = 0, more: Partial<KnownStep> = {}): KnownStep => {
  const [kind, step] = id.split('.') as [InterfaceKind, string];
  return {
    ...{ interface: kind, step, priority, abortable: false, requiresRamdisk: true, args: {}, onRepeat: 'safe' },
    ...more,
  };
};
const asked = (id: string, priority = 0, args: UserStep['args'] = {}): UserStep => {
  const [kind, step] = id.split('.') as [InterfaceKind, string];
  return { interface: kind, step, args, priority };
};
const ids = (steps: readonly SelectedStep[]) => steps.map((step) => `${step.interface}.${step.step}@${step.priority}`);

const SETTINGS = { settings: { description: 'what to set', required: true } };
const DRIVER = [
  known('deploy.deploy', 100),
  known('bios.apply_configuration', 0, { args: SETTINGS }),
  known('raid.apply_configuration', 0, { args: { level: { description: 'of the array', required: false } } }),
  known('management.reset', 40),
  known('vendor.log', 40),
];

describe('automated cleaning', () => {
  it('does what has a priority, the higher first, and among equals by the rank of the interface', () => {
    const steps = ['raid', 'bios', 'deploy', 'firmware', 'management', 'power', 'vendor'].map((kind) =>
      known(`${kind}.equal`, 10),
    );
    const all = [...steps, known('deploy.erase', 99), known('bios.factory_reset', 0), known('raid.late', 1)];
    expect(ids(automatedSteps(all))).toEqual([
      'deploy.erase@99',
      ...['vendor', 'power', 'management', 'firmware', 'deploy', 'bios', 'raid'].map((kind) => `${kind}.equal@10`),
      'raid.late@1',
    ]);
  });
});

describe('the steps of a deployment', () => {
  it.each<[string, string[], UserStep[], Array<{ name: string; steps: UserStep[] }>]>([
    ['are the driver’s by themselves', ['deploy.deploy@100', 'vendor.log@40', 'management.reset@40'], [], []],
    [
      'take in what the request asks for by its priority',
      [
        'bios.apply_configuration@150',
        'deploy.deploy@100',
        'vendor.log@40',
        'management.reset@40',
        'raid.apply_configuration@5',
      ],
      [asked('raid.apply_configuration', 5), asked('bios.apply_configuration', 150, { settings: [] })],
      [],
    ],
    [
      'take in the steps of all templates',
      [
        'raid.apply_configuration@120',
        'bios.apply_configuration@110',
        'deploy.deploy@100',
        'vendor.log@40',
        'management.reset@40',
      ],
      [],
      [
        { name: 'CUSTOM_A', steps: [asked('bios.apply_configuration', 110, { settings: [] })] },
        { name: 'CUSTOM_B', steps: [asked('raid.apply_configuration', 120)] },
      ],
    ],
    [
      'follow the request before a template, and a template before the driver',
      ['deploy.deploy@100', 'management.reset@50', 'vendor.log@30'],
      [asked('vendor.log', 30)],
      [{ name: 'CUSTOM_A', steps: [asked('vendor.log', 60), asked('management.reset', 50)] }],
    ],
    ['leave out what has priority 0', ['management.reset@40'], [asked('deploy.deploy', 0), asked('vendor.log', 0)], []],
    [
      'may be disabled without the arguments that they need',
      ['deploy.deploy@100', 'vendor.log@40', 'management.reset@40'],
      [asked('bios.apply_configuration', 0)],
      [],
    ],
    [
      'take in reserved steps on any interface',
      [
        'power.power_off@200',
        'deploy.hold@150',
        'deploy.deploy@100',
        'vendor.log@40',
        'management.reset@40',
        'bios.wait@1',
      ],
      [asked('deploy.hold', 150), asked('power.power_off', 200), asked('bios.wait', 1, { seconds: 3 })],
      [],
    ],
  ])('%s', (_, expected, userSteps, templates) => {
    expect(ids(selectSteps({ driverSteps: DRIVER, userSteps, templates }))).toEqual(expected);
  });

  it.each<[string, string, UserStep[], Array<{ name: string; steps: UserStep[] }>]>([
    [
      'an unknown one',
      'Validation of deploy steps from "deploy steps" argument failed.node does not support this deploy step: ' +
        "{'interface': 'deploy', 'step': 'nosuch', 'args': {}, 'priority': 50}",
      [asked('deploy.nosuch', 50)],
      [],
    ],
    [
      'an unknown one of a template',
      "Validation of deploy steps from deploy templates matching this node's instance traits failed. Matching deploy " +
        "templates: CUSTOM_A. Errors: node does not support this deploy step: {'interface': 'raid', 'step': 'x', 'args': {}, 'priority': 1}",
      [],
      [{ name: 'CUSTOM_A', steps: [asked('raid.x', 1)] }],
    ],
    [
      'an argument that it does not take',
      'has these unexpected arguments: color',
      [asked('vendor.log', 1, { color: 1 })],
      [],
    ],
    [
      'a missing argument',
      'missing these required arguments: settings (what to set)',
      [asked('bios.apply_configuration', 1)],
      [],
    ],
    ['another priority of the core step', 'is a core step and cannot be overridden', [asked('deploy.deploy', 50)], []],
    ['one named twice', 'Duplicate deploy steps for vendor.log', [asked('vendor.log', 1), asked('vendor.log', 2)], []],
    ['a pause of no length', 'seconds must be a number of at least 0', [asked('deploy.wait', 1, { seconds: 'x' })], []],
    ['an argument of a reserved one', 'unexpected arguments: color', [asked('deploy.hold', 1, { color: 1 })], []],
  ])('refuse %s', (_, words, userSteps, templates) => {
    expect(() => selectSteps({ driverSteps: DRIVER, userSteps, templates })).toThrow(words);
  });

  it('never say what an argument holds: it may be a secret', () => {
    const userSteps = [asked('vendor.log', 1, { password: 'hunter2' })];
    expect(() => selectSteps({ driverSteps: DRIVER, userSteps, templates: [] })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
    );
  });
});

describe('requested clean and service steps', () => {
  it('are done in the order of the request, whatever their priorities', () => {
    const steps = [asked('vendor.log'), asked('deploy.hold'), asked('deploy.deploy'), asked('vendor.log')];
    expect(ids(requestedSteps('clean', DRIVER, steps, false))).toEqual([
      'vendor.log@40',
      'deploy.hold@0',
      'deploy.deploy@100',
      'vendor.log@40',
    ]);
  });
  it('are refused with all that is wrong', () => {
    const steps = [asked('raid.nosuch'), asked('vendor.log', 0, { x: 1 })];
    expect(() => requestedSteps('service', DRIVER, steps, false)).toThrow(
      "node does not support this service step: {'interface': 'raid', 'step': 'nosuch'}; " +
        "service step {'interface': 'vendor', 'step': 'log', 'args': {'x': ...}} has these unexpected arguments: x",
    );
  });
  it('are refused where they need a ramdisk that nobody wants', () => {
    expect(() => requestedSteps('clean', DRIVER, [asked('vendor.log')], true)).toThrow('requires booting a ramdisk');
    const free = [known('vendor.log', 0, { requiresRamdisk: false })];
    expect(ids(requestedSteps('clean', free, [asked('vendor.log')], true))).toEqual(['vendor.log@0']);
  });
});

describe('steps as they come in a request', () => {
  it.each([
    [{ step: 'x' }, 'clean_steps[0] must name an interface'],
    [{ interface: 'tpm', step: 'x' }, 'clean_steps[0] must name an interface'],
    [{ interface: 'bios' }, 'and a step'],
    [{ interface: 'bios', step: 'x', args: [] }, 'clean_steps[0].args must be an object'],
    [{ interface: 'bios', step: 'x', priority: -1 }, 'clean_steps[0].priority must be an integer'],
    ['bios.x', 'clean_steps[0] must name an interface'],
    [{ interface: 'bios', step: 'x', execute_on_child_nodes: 'yes' }, 'execute_on_child_nodes must be true or false'],
    [
      { interface: 'bios', step: 'x', execute_on_child_nodes: true, limit_child_node_execution: ['n1'] },
      "limit_child_node_execution must be a list of nodes' uuids",
    ],
  ])('%j is refused', (step, words) => {
    expect(() => parseUserSteps([step], 'clean_steps')).toThrow(words);
  });
});

describe('the rows of a run', () => {
  it('are the driver’s own, what a step stands for, or the conductor’s for a reserved step', () => {
    const rows = [known('deploy.deploy', 100, { rows: () => [{ ...rowsOf(hold, {})[0]!, step: 'validate' }] })];
    const hold = requestedSteps('clean', [], [asked('deploy.hold')], false);
    const steps = selectSteps({
      driverSteps: [...rows, known('vendor.log', 40)],
      userSteps: [asked('bios.power_on', 30)],
      templates: [],
    });
    expect(
      rowsOf(steps, {}).map(({ interface: kind, step, priority, source }) => [kind, step, priority, source]),
    ).toEqual([
      ['deploy', 'validate', 100, undefined],
      ['vendor', 'log', 40, 'driver'],
      ['bios', 'power_on', 30, undefined],
    ]);
  });
});
