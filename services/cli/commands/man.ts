/** Prints the manual page. */
import type { Run } from '../command.ts';
import { manualPage } from '../manual.ts';
import { VERSION } from '../version.ts';

export const printManual: Run = async ({ io }) => {
  io.out(await manualPage(VERSION));
  return undefined;
};
