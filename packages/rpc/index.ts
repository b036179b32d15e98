export * from './contract.ts';
export * from './placement.ts';
