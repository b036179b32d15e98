/** The script: scenarios, each begun with nothing there. */
import type { Side } from '../side.ts';
import { allocations } from './allocations.ts';
import { chassis, conductors, drivers, root } from './collections.ts';
import { lifeCycle, paging, patchInStates } from './life.ts';
import { hardware, history, maintenance, traits, vendor, vifs } from './node-parts.ts';
import { nodeCreate, nodeDelete, nodeGet, nodeList, nodePatch } from './nodes.ts';
import { portgroups } from './portgroups.ts';
import { ports } from './ports.ts';
import { cleaning, deployment, power, provisioning, rescue } from './provisioning.ts';
import { deployTemplates, events } from './templates.ts';
import { volume } from './volume.ts';
import { writing } from './writing.ts';

export interface Scenario {
  readonly name: string;
  run(side: Side): Promise<void>;
}

const named = (name: string, run: (side: Side) => Promise<void>): Scenario => ({ name, run });

export const SCENARIOS: readonly Scenario[] = [
  named('root', root),
  named('writing', writing),
  named('node-create', nodeCreate),
  named('node-list', nodeList),
  named('node-get', nodeGet),
  named('node-patch', nodePatch),
  named('node-delete', nodeDelete),
  named('paging', paging),
  named('patch-in-states', patchInStates),
  named('life-cycle', lifeCycle),
  named('ports', ports),
  named('portgroups', portgroups),
  named('chassis', chassis),
  named('drivers', drivers),
  named('conductors', conductors),
  named('volume', volume),
  named('allocations', allocations),
  named('deploy-templates', deployTemplates),
  named('events', events),
  named('traits', traits),
  named('vifs', vifs),
  named('maintenance', maintenance),
  named('vendor', vendor),
  named('hardware', hardware),
  named('history', history),
  named('power', power),
  named('provisioning', provisioning),
  named('cleaning', cleaning),
  named('deployment', deployment),
  named('rescue', rescue),
];
