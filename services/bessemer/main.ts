/** `bessemer`: the service's command line. The only reader of argv and environment in this room. */
import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import {
  CONFIG_SCHEMA,
  type Config,
  ConfigError,
  configFromEnvironment,
  parseConfigFile,
  resolveConfig,
} from '@bessemer/core';
import { VERSION } from '@bessemer/cli/version';
import { systemClock, systemDatagrams, systemRandom } from '@bessemer/ports/node';
import { Command, Option } from 'commander';
import { cacheDirOf } from '../../images/cache-dir.ts';
import { labDown, labStatus, labUp } from './commands/lab.ts';
import { upInLab } from './commands/up-in-lab.ts';
import { createLog } from './logging.ts';
import { createService, type Role, type Service } from './service.ts';

const env = process.env;
const home = env['HOME'] || homedir();
const cacheDir = cacheDirOf(env);
const profilePath =
  env['BESSEMER_PROFILE'] || join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'bessemer', 'profile.json');
const stateDir = join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'bessemer');

interface ServiceOptions {
  config?: string;
  dataDir?: string;
  apiPort?: string;
  auth?: string;
  log?: string;
  set?: Record<string, string>;
  lab?: string | true;
}

function readConfig(options: ServiceOptions): Config {
  const file = options.config
    ? parseConfigFile(readFileSync(options.config, 'utf8'), options.config)
    : { values: {}, problems: [] };
  const flags: Record<string, string> = {
    ...(options.dataDir === undefined ? {} : { 'service.data_dir': options.dataDir }),
    ...(options.apiPort === undefined ? {} : { 'api.port': options.apiPort }),
    ...(options.auth === undefined ? {} : { 'api.auth': options.auth }),
    ...options.set,
  };
  return resolveConfig([file.values, configFromEnvironment(env), flags], file.problems);
}

/** What went wrong, for people; a port that is taken with what to do about it. */
function sayError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code !== 'EADDRINUSE') return error.message;
  return `port ${port} of ${address} is taken, by another bessemer or something else: end that, or choose other ports with --api-port N and --set depot.port=N (0: any free one)`;
}

/** Ends in order at the first signal; a second one ends at once. */
async function untilSignal(service: Pick<Service, 'stop'>): Promise<void> {
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve(name));
  });
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
  process.stderr.write(`bessemer: ${signal}, ending\n`);
  await service.stop();
}

const tellWhere = (apiUrl: string) => void process.stdout.write(`API ${apiUrl}\nDocs ${apiUrl}/docs\n`);

async function serve(roles: readonly Role[], options: ServiceOptions): Promise<void> {
  const config = readConfig(options);
  const log = createLog(config.service.log_level, options.log);
  if (options.lab !== undefined) {
    const lab = await upInLab({
      name: options.lab === true ? 'lab' : options.lab,
      stateDir,
      options,
      config,
      environment: env,
      profilePath,
      clock: systemClock,
      log,
    });
    tellWhere(lab.apiUrl);
    await untilSignal(lab);
    return;
  }
  const service = createService({
    config,
    roles,
    cacheDir,
    profilePath,
    publicEndpoint: env['BESSEMER_PUBLIC_ENDPOINT'],
    host: config.service.host || hostname(),
    clock: systemClock,
    random: systemRandom,
    datagrams: systemDatagrams,
    log,
  });
  const { apiUrl } = await service.start();
  if (apiUrl) tellWhere(apiUrl);
  process.stdout.write('ready\n');
  await untilSignal(service);
}

const collect = (pair: string, all: Record<string, string> = {}): Record<string, string> => {
  const at = pair.indexOf('=');
  if (at < 1) throw new ConfigError([`--set ${pair}: expected group.key=value`]);
  return { ...all, [pair.slice(0, at)]: pair.slice(at + 1) };
};

const program = new Command('bessemer')
  .description('Turns racks of powered-off physical servers into running, configured machines, and back.')
  .version(VERSION)
  .showHelpAfterError();

const { service: serviceGroup, api: apiGroup } = CONFIG_SCHEMA;

function serviceCommand(name: string, summary: string, roles: readonly Role[]): Command {
  return program
    .command(name)
    .description(summary)
    .option('--config <file>', 'configuration file; docs/bessemer.conf.sample has every option')
    .option('--data-dir <dir>', `where database, keys and images live (default: ${serviceGroup.data_dir.default})`)
    .option('--api-port <port>', `port of the API (default: ${apiGroup.port.default})`)
    .addOption(
      new Option('--auth <strategy>', `who may ask (default: ${apiGroup.auth.default})`).choices(apiGroup.auth.choices),
    )
    .option('--log <file>', 'log to a file instead of standard error')
    .option('--set <group.key=value>', 'any option of the configuration; may be repeated', collect)
    .action((options: ServiceOptions) => serve(roles, options));
}

serviceCommand('up', 'run everything in one process', ['api', 'conductor', 'boot']).option(
  '--lab [name]',
  'run inside the network of a lab that `bessemer lab up` started',
);
serviceCommand('api', 'run the REST API only', ['api']);
serviceCommand('conductor', 'run a conductor only: life cycle, drivers, agents, images', ['conductor']);
serviceCommand('boot', 'run the boot service only: DHCP, TFTP, boot scripts', ['boot']);

const lab = program
  .command('lab')
  .description('virtual servers with BMCs to play with (QEMU, in a network namespace of their own)');
lab
  .command('up')
  .description('start virtual servers, powered off, each with a BMC')
  .option('--nodes <count>', 'how many', '1')
  .addOption(new Option('--firmware <kind>', 'of the servers').choices(['bios', 'uefi', 'mixed']).default('bios'))
  .option('--memory <mb>', 'memory of each', '1536')
  .option('--disk <gb>', 'disk of each (sparse)', '8')
  .option('--name <name>', 'name of the lab', 'lab')
  .option('-f, --format <format>', 'table or json', 'table')
  .action((options) => labUp({ ...options, stateDir, clock: systemClock, log: createLog('warn') }));
lab
  .command('down')
  .description('take a lab away: servers, BMCs, network, disks')
  .option('--name <name>', 'name of the lab', 'lab')
  .action((options) => labDown({ ...options, stateDir, clock: systemClock, log: createLog('warn') }));
lab
  .command('status')
  .description('show the servers of a lab')
  .option('--name <name>', 'name of the lab', 'lab')
  .option('-f, --format <format>', 'table or json', 'table')
  .action((options) => labStatus({ ...options, stateDir, clock: systemClock, log: createLog('warn') }));

program
  .command('sim')
  .description('run simulated nodes through the life cycle in virtual time, with faults')
  .option('--nodes <count>', 'how many', '100')
  .option('--seed <number>', 'replays a run exactly', '1')
  .option('--no-faults', 'nothing goes wrong')
  .action(async (options: { nodes: string; seed: string; faults: boolean }) => {
    const { simulate } = await import('@bessemer/sim');
    const report = await simulate({ nodes: Number(options.nodes), seed: Number(options.seed), faults: options.faults });
    process.stdout.write(`${report.text}\n`);
    process.exitCode = report.isWell ? 0 : 1;
  });

program
  .command('man')
  .description('print the manual page of `baremetal`; see it with: bessemer man | man -l -')
  .action(async () => {
    const { manualPage } = await import('@bessemer/cli');
    // Who reads may have seen enough.
    process.stdout.once('error', () => process.exit(0));
    process.stdout.write(await manualPage(VERSION));
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`bessemer: ${sayError(error)}\n`);
  process.exit(1);
}
