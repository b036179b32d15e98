/** Seeded, virtual-time simulation of a whole machine room: `bessemer sim`. */
export { simulate, type SimulateOptions, type SimulationReport } from './simulate.ts';
export { createVirtualClock, type VirtualClock } from './virtual-clock.ts';
