/** Pretended interfaces that offer no steps: console, network and storage. */
import type { InterfaceKind } from '@bessemer/core';
import type { PassiveInterface } from '../interfaces.ts';
import { type Pretence, pretendedProperties } from './pretence.ts';

export const createFakePassive = (pretence: Pretence, kind: InterfaceKind): PassiveInterface => ({
  properties: pretendedProperties(kind),
  validate: (task) => pretence.check(task.node, kind),
});
