// What the workers of a group have in hand, seen from outside.

import { activityOf, holdsConnection } from "../observe/activity.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Address } from "../sys/address.ts";
import type { Members } from "./members.ts";

/** As much of a group as is looked at. */
export interface Seen {
  readonly context: { readonly listener: { readonly address: Address }; readonly runtime: Runtime };
  readonly members: Pick<Members, "workers">;
}

/** How many of its workers are doing anything but waiting for a connection. */
export function busyWorkers({ context, members }: Seen): number {
  const { address } = context.listener;
  const isBusy = (pid: number) => activityOf(pid, address).doing !== "idle";
  return members.workers().filter(({ pid }) => isBusy(pid)).length;
}

/** Whether this worker of the group has a request in hand, stopped or not. */
export function hasInHand({ context }: Pick<Seen, "context">, pid: number): boolean {
  const { listener, runtime } = context;
  const { doing } = activityOf(pid, listener.address);
  if (doing !== "busy" && !(doing === "stopped" && holdsConnection(pid) === true)) return false;
  return runtime.requestOf?.(pid) !== "none";
}
