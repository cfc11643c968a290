// Parked workers as /proc shows them, and the guardian that wakes them.

import type { Spot } from "./pool.ts";
import { alive, childrenOf, commandOf, statusField, workersAt } from "./processes.ts";
import { eventually } from "./wait.ts";

/** Workers that are stopped, by whomever. */
export function stoppedAt({ where }: Spot): number[] {
  return workersAt(where).filter(isStopped);
}

export function activeAt({ where }: Spot): number[] {
  return workersAt(where).filter((pid) => !isStopped(pid));
}

export function isStopped(pid: number): boolean {
  return statusField(pid, "State").startsWith("T");
}

/** Waits until exactly so many are active and so many parked; gives both. */
export async function divided(spot: Spot, active: number, parked: number) {
  return eventually(
    () => {
      const found = { active: activeAt(spot), parked: stoppedAt(spot) };
      return found.active.length === active && found.parked.length === parked ? found : null;
    },
    { what: `${active} active and ${parked} parked workers at ${spot.listen}` },
  );
}

/** The shell that wakes the parked when the supervisor dies; null = there is none. */
export function guardianOf(supervisor: { readonly pid: number }): number | null {
  const isGuardian = (pid: number) => commandOf(pid).at(-1) === "fcgivisor-guardian" && alive(pid);
  return childrenOf(supervisor.pid).find(isGuardian) ?? null;
}
