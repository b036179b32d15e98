/** OpenIPMI's `ipmi_sim` as a child process, for integration tests: an independent BMC that knows cipher suite 3. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemDatagrams } from '@bessemer/ports/node';

export interface IpmiSim {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

const ALLOWED = 'none md2 md5 straight';

/** The hook that ipmi_sim calls for the chassis: `get|set|check PARAMETER [VALUE]`; the state is a file per parameter. */
const CHASSIS_HOOK = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
op=$1; shift
case $op in
get) for p in "$@"; do
  if [ -f "state.$p" ]; then v=$(cat "state.$p"); elif [ "$p" = boot ]; then v=default; else v=0; fi
  echo "$p:$v"; done;;
set) while [ $# -gt 1 ]; do
  case $1 in shutdown) echo 0 > state.power;; reset) ;; *) echo "$2" > "state.$1";; esac
  shift 2; done;;
*) exit 1;;
esac
`;

/** Starts it on a free loopback port, user "admin", password "password". */
export async function startIpmiSim(): Promise<IpmiSim> {
  const folder = await mkdtemp(join(tmpdir(), 'bessemer-ipmi-sim-'));
  const probe = await systemDatagrams.bind({ address: '127.0.0.1', port: 0 });
  const { port } = probe.local;
  await probe.close();
  await mkdir(join(folder, 'state'));
  await writeFile(join(folder, 'chassis.sh'), CHASSIS_HOOK);
  await chmod(join(folder, 'chassis.sh'), 0o755);
  await writeFile(
    join(folder, 'lan.conf'),
    `name "sim"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_callback ${ALLOWED}
    allowed_auths_user ${ALLOWED}
    allowed_auths_operator ${ALLOWED}
    allowed_auths_admin ${ALLOWED}
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${join(folder, 'chassis.sh')}"
  startnow false
  user 1 true "" "test" user 10 ${ALLOWED}
  user 2 true "admin" "password" admin 10 ${ALLOWED}
`,
  );
  await writeFile(
    join(folder, 'sim.emu'),
    `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`,
  );
  const child = spawn(
    'ipmi_sim',
    ['-n', '-c', join(folder, 'lan.conf'), '-f', join(folder, 'sim.emu'), '-s', join(folder, 'state')],
    { cwd: folder, stdio: 'ignore' },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(new Error('ipmi_sim does not start: install Debian package openipmi', { cause })),
    );
  });
  return {
    address: '127.0.0.1',
    port,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
