// What the pools of a config need of the unit, and what it can therefore take from the supervisor and all
// that it starts. Read from the config alone, and without knowing more of the machine than its kernel's defaults.

import type { ServiceFacts } from "./facts.ts";

export interface Needs {
  /** Listens on a port below 1024. */
  readonly lowPorts: boolean;
  /** Sets a limit that may be above the one that systemd hands down. */
  readonly limits: boolean;
  /** Gives a worker a higher priority than others have. */
  readonly priority: boolean;
  /** Executes programs that gain rights by it, as a setgid sendmail does. */
  readonly newPrivileges: boolean;
  /** Has a pool with no_new_privs, which gives up what is never needed again. */
  readonly giveUpRights: boolean;
  readonly chroot: boolean;
  /** Makes mounts for a pool (private_tmp, read_only). */
  readonly mounts: boolean;
  /** Has, or may have, something below /home or /root. */
  readonly homes: boolean;
  /** Folders below /tmp that others must see, too. */
  readonly sharedTmp: readonly string[];
}

/** Open files that the kernel lets every process have, whatever its service manager says (INR_OPEN_MAX). */
const USUAL_FILES = 4096;
const FIRST_FREE_PORT = 1024;

export function needsOf({ pools, metrics, seen }: ServiceFacts): Needs {
  const configs = pools.map(({ config }) => config);
  const addresses = [...configs.map(({ listen }) => listen.address), metrics];
  const placeless = ({ chdir, chroot }: (typeof configs)[number]) =>
    chdir === null && chroot === null;
  return {
    lowPorts: addresses.some(
      (address) => address !== null && "port" in address && address.port < FIRST_FREE_PORT,
    ),
    limits: configs.some(
      ({ rlimitFiles, rlimitProcesses }) =>
        (rlimitFiles ?? 0) > USUAL_FILES || rlimitProcesses !== null,
    ),
    priority: configs.some(({ nice }) => (nice ?? 0) < 0),
    newPrivileges: configs.some(({ noNewPrivs }) => !noNewPrivs),
    giveUpRights: configs.some(({ noNewPrivs }) => noNewPrivs),
    chroot: configs.some(({ chroot }) => chroot !== null),
    mounts: configs.some(({ privateTmp, readOnly }) => privateTmp || readOnly),
    homes: configs.some(placeless) || seen.some((path) => /^\/(home|root)(\/|$)/.test(path)),
    sharedTmp: seen.filter((path) => /^\/(var\/)?tmp(\/|$)/.test(path)),
  };
}
