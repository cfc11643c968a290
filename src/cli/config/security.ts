// What `check --security` says: which protections a pool does without, and what pools share. Pure. None
// of it is wrong; it is for whoever has to decide.

import type { Config, PoolConfig } from "../../config/model.ts";

interface Protection {
  readonly isUsed: (pool: PoolConfig) => boolean;
  /** What it means to do without. */
  readonly without: string;
}

const LOCAL = /^(127\.|::1$)/;

const PROTECTIONS: readonly Protection[] = [
  {
    isUsed: ({ noNewPrivs }) => noNewPrivs,
    without: "no_new_privs is off: setuid and setgid programs give rights to its scripts",
  },
  {
    isUsed: ({ privateTmp }) => privateTmp,
    without: "private_tmp is off: its scripts share /tmp with all others",
  },
  {
    isUsed: ({ readOnly }) => readOnly,
    without: "read_only is off: its scripts can change every file that their user may",
  },
  {
    isUsed: ({ clearEnv }) => clearEnv,
    without: "clear_env is off: its scripts see the environment that the supervisor was started in",
  },
  {
    isUsed: ({ rlimitMemory, memoryMax }) => rlimitMemory !== null || memoryMax !== null,
    without:
      "neither rlimit_memory nor memory_max is set: one worker can use up the memory of the machine",
  },
  {
    isUsed: ({ rlimitProcesses, pidsMax }) => rlimitProcesses !== null || pidsMax !== null,
    without:
      "neither rlimit_processes nor pids_max is set: its scripts can fork until the machine is full",
  },
  {
    isUsed: ({ logOutput, logRate }) => !logOutput || logRate !== "unlimited",
    without: "log_rate is unlimited: its workers can fill the disk of the log",
  },
  {
    isUsed: ({ requestTimeoutMs }) => requestTimeoutMs > 0,
    without: "request_timeout is off: a request may hold a worker for ever",
  },
  {
    isUsed: ({ listen: { address }, allowedClients }) =>
      (address.kind !== "inet" && address.kind !== "inet6") ||
      allowedClients.length > 0 ||
      LOCAL.test(address.host),
    without:
      "allowed_clients is not set: whoever reaches its port can have any script run, as any path",
  },
  {
    isUsed: ({ listen: { address, mode } }) =>
      address.kind !== "unix" || ((mode ?? 0) & 0o002) === 0,
    without: "its socket is open to every user of the machine",
  },
];

/** A line for each pool and what it does without, then what pools share. */
export function securityLines({ pools }: Config): string[] {
  return [...pools.flatMap(poolLines), ...sharedLines(pools)];
}

function poolLines(pool: PoolConfig): string[] {
  const missing = PROTECTIONS.filter(({ isUsed }) => !isUsed(pool));
  if (missing.length === 0) return [`pool ${pool.name}: uses all there is`];
  return [`pool ${pool.name}:`, ...missing.map(({ without }) => `  ${without}`)];
}

/** Processes of one user may signal and trace each other, and read each other's files. */
function sharedLines(pools: readonly PoolConfig[]): string[] {
  const byUser = Map.groupBy(pools, ({ user }) => user);
  return [...byUser]
    .filter(([, users]) => users.length > 1)
    .map(([user, users]) => {
      const names = users.map(({ name }) => name).join(", ");
      const who = user === null ? "as the supervisor's own user" : `as ${user}`;
      return `pools ${names} run ${who}: they can kill each other's workers and read each other's files and passwords`;
    });
}
