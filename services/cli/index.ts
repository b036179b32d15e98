/** The door of the command line. The program itself is started as a process, by `main.ts`. */
export { manualPage } from './manual.ts';
