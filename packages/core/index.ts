/** The domain: provision states, runs, steps, events, errors, ids, configuration. No IO. */
export * from './access.ts';
export * from './attachments.ts';
export * from './config.ts';
export * from './egress.ts';
export * from './errors.ts';
export * from './event-filter.ts';
export * from './event-gate.ts';
export * from './events.ts';
export * from './ids.ts';
export * from './inspection-rules.ts';
export * from './json.ts';
export * from './plans.ts';
export * from './provision-states.ts';
export * from './resources.ts';
export * from './runs.ts';
export * from './time.ts';
export * from './timeline.ts';
