// What `status` tells, and of the workers that leave.

import { expect } from "bun:test";
import type { Status } from "../../src/admin/contract.ts";
import type { Held } from "./gate.ts";
import type { Outcome, Supervisor } from "./program.ts";
import { eventually } from "./wait.ts";

type Asked = Pick<Supervisor, "http">;

/** What `status --json` prints. */
export async function statusOf({ http }: Asked): Promise<Status> {
  const answer = await http("/v1/status", { keepalive: false });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Status;
}

/**
 * Waits until only the worker of the request is still leaving; the operation must wait for it, and be done
 * when the request is answered.
 */
export async function waitsOnlyFor(
  held: Held,
  supervisor: Asked,
  operation: Promise<Outcome>,
): Promise<void> {
  await onlyLeaving(supervisor, 1, [held.worker]);
  expect(Bun.peek.status(operation)).toBe("pending");
  await held.finish();
  const outcome = await operation;
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
}

/** The workers that have been asked to leave and are still there. */
export async function leaving(supervisor: Asked): Promise<number[]> {
  const { pools } = await statusOf(supervisor);
  return pools
    .flatMap(({ groups }) => groups)
    .filter(({ draining }) => draining !== null)
    .flatMap(({ workers }) => workers.map(({ pid }) => pid));
}

/**
 * Waits until so many of these workers have been asked to leave, and nobody else who is still there.
 * Who has been told to end at once does not count.
 */
export async function onlyLeaving(
  supervisor: Asked,
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
