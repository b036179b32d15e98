/** The reference BMC in front of a virtual server. */
import { createReferenceBmc } from '@bessemer/ipmi/bmc';
import { Secret } from '@bessemer/ports';
import type { Clock, Datagrams, Random } from '@bessemer/ports';
import type { StartBmc } from './daemon.ts';

/** A starter of reference BMCs with one administrator each, on UDP 623 of the address they are given. */
export function referenceBmcStarter(deps: { datagrams: Datagrams; clock: Clock; random: Random }): StartBmc {
  return async ({ chassis, address, user, password, log }) => {
    const bmc = createReferenceBmc({
      ...deps,
      log,
      address,
      users: [{ name: user, password: new Secret(password), privilege: 'ADMINISTRATOR' }],
      chassis,
    });
    await bmc.start();
    return { close: () => bmc.stop() };
  };
}
