// Which processes are the workers of a group. A leader forks them in its own process group; scripts
// may start programs there too, but those have another name or another parent.

import {
  childrenOf,
  type ProcessId,
  processGroup,
  type ProcessStat,
  processStat,
} from "../sys/procfs.ts";

export interface Members {
  /** The living workers. */
  workers(fresh?: boolean): ProcessStat[];
}

/**
 * The members of the group that `leader` was spawned for. `forks`: its children are the workers,
 * else it is the only one. `leaderLives` is asked each time.
 */
export function membersOf(leader: ProcessId, forks: boolean, leaderLives: () => boolean): Members {
  // The name is known for certain only while the leader lives: the shim has another one.
  let name = processStat(leader.pid)?.command ?? "";

  function nameNow(): string {
    if (leaderLives()) name = processStat(leader.pid)?.command ?? name;
    return name;
  }

  function relatives(fresh: boolean): readonly ProcessStat[] {
    const children = leaderLives() ? childrenOf(leader.pid) : null;
    if (children === null) return processGroup(leader.pid, fresh);
    return children.map(processStat).filter((stat) => stat !== null);
  }

  function forked(fresh: boolean): ProcessStat[] {
    const parent = leaderLives() ? leader.pid : process.pid;
    const wanted = nameNow();
    return relatives(fresh).filter(
      (stat) =>
        stat.pid !== leader.pid &&
        stat.parent === parent &&
        stat.group === leader.pid &&
        stat.command === wanted,
    );
  }

  return {
    workers(fresh = false) {
      if (forks) return forked(fresh).filter(({ state }) => state !== "Z");
      const stat = leaderLives() ? processStat(leader.pid) : null;
      return stat === null || stat.state === "Z" ? [] : [stat];
    },
  };
}
