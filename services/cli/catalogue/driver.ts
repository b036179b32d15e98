/** Drivers: hardware types that the conductors serve. */
import type { CommandSpec } from '../command.ts';
import { DRIVER } from '../commands/fields.ts';
import { fields, from, long, option, pairs, text } from './options.ts';

const driver = { name: '<driver>', help: 'Name of the driver' } as const;
const drivers = () => import('../commands/driver.ts');
const passthru = () => import('../commands/passthru.ts');

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'driver list',
    summary: 'List drivers',
    options: [
      text('--type', 'type', 'Only drivers of this type', { choices: ['classic', 'dynamic'] }),
      ...long(DRIVER),
    ],
    shows: 'list',
    load: from(drivers, 'listDrivers'),
  },
  {
    name: 'driver show',
    summary: 'Show a driver',
    arguments: [driver],
    options: [fields(DRIVER)],
    shows: 'one',
    load: from(drivers, 'showDriver'),
  },
  {
    name: 'driver property list',
    summary: 'List what a driver takes in driver_info',
    arguments: [driver],
    shows: 'list',
    load: from(drivers, 'listDriverProperties'),
  },
  {
    name: 'driver raid property list',
    summary: 'List what a driver takes in the logical disks of a RAID configuration',
    arguments: [driver],
    shows: 'list',
    load: from(drivers, 'listDriverRaidProperties'),
  },
  {
    name: 'driver passthru list',
    summary: "List the methods of a driver's vendor",
    arguments: [driver],
    shows: 'list',
    load: from(passthru, 'listDriverMethods'),
  },
  {
    name: 'driver passthru call',
    summary: "Call a method of a driver's vendor",
    arguments: [driver, { name: '<method>', help: 'Name of the method' }],
    options: [
      pairs('--arg', 'arg', 'Argument of the method'),
      option('--http-method <method>', 'Method of the request, POST if missing', {
        choices: ['POST', 'PUT', 'GET', 'DELETE', 'PATCH'],
      }),
    ],
    shows: 'one',
    load: from(passthru, 'callDriverMethod'),
  },
];
