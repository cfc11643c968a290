// What `status` tells of the workers, as far as tests ask for it.

import type { Supervisor } from "./program.ts";
import { eventually } from "./wait.ts";

interface GroupTold {
  readonly draining: object | null;
  readonly workers: readonly { readonly pid: number }[];
}

/** The workers that have been asked to leave and are still there. */
export async function leaving({ http }: Pick<Supervisor, "http">): Promise<number[]> {
  const status = (await (await http("/v1/status")).json()) as {
    readonly pools: readonly { readonly groups: readonly GroupTold[] }[];
  };
  return status.pools
    .flatMap(({ groups }) => groups)
    .filter(({ draining }) => draining !== null)
    .flatMap(({ workers }) => workers.map(({ pid }) => pid));
}

/** Waits until so many of these workers have been asked to leave, and nobody else who is still there. */
export async function onlyLeaving(
  supervisor: Pick<Supervisor, "http">,
  count: number,
  among: readonly number[],
): Promise<void> {
  await eventually(
    async () => {
      const pids = await leaving(supervisor);
      return pids.length === count && pids.every((pid) => among.includes(pid));
    },
    { what: `${count} of the workers ${among} are leaving, and no other` },
  );
}
