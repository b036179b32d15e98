import { describe, expect, it } from 'vitest';
import { allCommands } from './catalogue/index.ts';
import { GLOBAL_OPTIONS } from './catalogue/display-options.ts';
import { manualPage } from './manual.ts';

const page = await manualPage('9');
const lines = page.split('\n');
/** As a reader sees it. */
const read = page.replaceAll('\\-', '-').replaceAll('\\(aq', "'").replaceAll('\\(ga', '`').replaceAll('\\(dq', '"');

describe('the manual page', () => {
  it('has every command with all its arguments, options and examples', async () => {
    for (const command of await allCommands()) {
      expect(read).toContain(`.SS "${command.name}"\n`);
      for (const { name } of command.arguments ?? []) expect(read).toContain(`.I "${name}"\n`);
      for (const { flags } of command.options ?? []) expect(read).toContain(`.B "${flags}"\n`);
      for (const example of command.examples ?? []) expect(read).toContain(`\n${example}\n`);
    }
    for (const { flags } of GLOBAL_OPTIONS) expect(read).toContain(`.B "${flags}"\n`);
  });

  it('has no line that could be taken for a macro by mistake', () => {
    const macros = /^\.(?:TH|SH|SS|PP|TP|B|I|RS|RE|nf|fi)(?: |$)/;
    for (const line of lines) if (/^[.']/.test(line)) expect(line).toMatch(macros);
    for (const line of lines) expect(line.replace(/\\(?:[e-]|\((?:aq|ga|dq))/g, '')).not.toContain('\\');
  });
});
