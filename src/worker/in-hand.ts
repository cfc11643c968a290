// What the workers of a group have in hand, seen from outside.

import { activityOf, holdsConnection } from "../observe/activity.ts";
import type { Group } from "./group.ts";

/** How many of its workers are doing anything but waiting for a connection. */
export function busyWorkers({ context, members }: Group): number {
  const { address } = context.listener;
  const isBusy = (pid: number) => activityOf(pid, address).doing !== "idle";
  return members.workers().filter(({ pid }) => isBusy(pid)).length;
}

/** Whether this worker of the group has a request in hand, stopped or not. */
export function hasInHand({ context }: Group, pid: number): boolean {
  const { listener, runtime } = context;
  const { doing } = activityOf(pid, listener.address);
  if (doing !== "busy" && !(doing === "stopped" && holdsConnection(pid) === true)) return false;
  return runtime.requestOf?.(pid) !== "none";
}
