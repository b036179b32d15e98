/** The door of the command line: the program, for those who start it with their own input and output. */
export { runProgram, type ProgramDeps } from './program.ts';
export type { Io } from './command.ts';
export type { Clock } from './clock.ts';
export { manualPage } from './manual.ts';
export { VERSION } from './version.ts';
