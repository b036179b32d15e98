/** `node images/main.ts ramdisk|test-image|budget --variant NAME`: builds an image and says where it is. */
import { parseArgs } from 'node:util';
import { systemClock } from '@bessemer/ports/node';
import { appendAgent, buildRamdisk, buildTestImage, checkBudget } from './build.ts';
import type { BuildProgress, BuiltFile } from './build.ts';
import { cacheDirOf } from './cache-dir.ts';

const USAGE = `usage: node images/main.ts COMMAND [--variant NAME] [--cache-dir DIR]
  ramdisk     [--variant lab|product] [--level 3|19] [--agent BUNDLE --out FILE]
  test-image  [--variant small|cloud]
  budget      [--agent BUNDLE]   both ramdisk variants as a release has them; fails when one is too large
`;

const refuse = (problem: string): never => {
  process.stderr.write(`${problem}\n${USAGE}`);
  process.exit(2);
};

const { positionals, values } = (() => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        variant: { type: 'string' },
        level: { type: 'string', default: '3' },
        agent: { type: 'string' },
        out: { type: 'string' },
        'cache-dir': { type: 'string' },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
})();

const cacheDir = values['cache-dir'] ?? cacheDirOf(process.env);
const progress = ({ build, phase, elapsedMs }: BuildProgress): void =>
  void process.stderr.write(`${(elapsedMs / 1000).toFixed(1).padStart(6)} s  ${build}: ${phase}\n`);
const deps = { cacheDir, clock: systemClock, progress };

const show = (name: string, file: BuiltFile): void =>
  void process.stdout.write(`${name}: ${file.path} ${(file.sizeBytes / 1e6).toFixed(1)} MB ${file.digest}\n`);

switch (positionals[0]) {
  case 'ramdisk': {
    const variant = values.variant ?? 'lab';
    if (variant !== 'lab' && variant !== 'product') refuse(`there is no ramdisk variant "${variant}"`);
    else if (values.level !== '3' && values.level !== '19')
      refuse(`compression level "${values.level}" is neither 3 nor 19`);
    else if ((values.agent === undefined) !== (values.out === undefined)) refuse('--agent and --out go together');
    else {
      const ramdisk = await buildRamdisk({ ...deps, variant, level: values.level === '19' ? 19 : 3 });
      show('kernel', ramdisk.kernel);
      show('ramdisk', ramdisk);
      if (values.agent !== undefined && values.out !== undefined)
        show('with agent', await appendAgent({ ramdisk, agentBundlePath: values.agent, out: values.out }));
    }
    break;
  }
  case 'test-image': {
    const variant = values.variant ?? 'small';
    if (variant !== 'small' && variant !== 'cloud') refuse(`there is no test image variant "${variant}"`);
    else {
      const image = await buildTestImage({ ...deps, variant });
      show('raw', image);
      show('qcow2', image.qcow2);
    }
    break;
  }
  case 'budget': {
    const agent = values.agent === undefined ? {} : { agentBundlePath: values.agent };
    let isWithin = true;
    for (const variant of ['lab', 'product'] as const) {
      const report = await checkBudget({ ...deps, ...agent, variant });
      process.stdout.write(`${report.text}\n`);
      isWithin &&= report.isWithin;
    }
    process.exitCode = isWithin ? 0 : 1;
    break;
  }
  default:
    refuse(positionals[0] === undefined ? 'a command is missing' : `there is no command "${positionals[0]}"`);
}
