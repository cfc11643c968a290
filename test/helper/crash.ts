// A supervisor that dies by kill -9, and the start after that.

import { expect } from "bun:test";
import { alive, allPids, commandOf, parentOf } from "./processes.ts";
import type { Supervisor } from "./program.ts";
import type { Scene } from "./scene.ts";
import { eventually } from "./wait.ts";

/** Dies as the supervisor would by the kernel's hand. */
export async function crash({ pid, gone }: Supervisor): Promise<void> {
  process.kill(pid, "SIGKILL");
  await gone();
}

/** What `start` says, and the supervisor that it left when it succeeded. */
export async function startAgain(scene: Scene, dead: Supervisor, ...words: string[]) {
  const outcome = await scene.fcgivisor(["start", "-c", dead.configFile, ...words]);
  if (outcome.code !== 0) return { outcome, supervisor: null };
  return { outcome, supervisor: scene.followDaemon(dead.configFile) };
}

export async function recovered(
  scene: Scene,
  dead: Supervisor,
  ...words: string[]
): Promise<Supervisor> {
  const { outcome, supervisor } = await startAgain(scene, dead, ...words);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  expect(supervisor!.pid).not.toBe(dead.pid);
  return supervisor!;
}

export async function allLeft(pids: readonly number[]): Promise<void> {
  await eventually(() => !pids.some(alive), { what: `${pids} have left` });
}

/** Kills the supervisor that another `start` is bringing up; it must be the only one. */
export async function killStarting(config: string): Promise<void> {
  const pids = supervisorsOf(config);
  expect(pids.length, `${pids}`).toBe(1);
  process.kill(pids[0]!, "SIGKILL");
  await allLeft(pids);
}

/** Supervisors that run with this config. A child that has not become another program yet is none. */
export function supervisorsOf(config: string): number[] {
  const found = allPids().filter((pid) => {
    const words = commandOf(pid);
    return words[1] === "run" && words.includes(config) && alive(pid);
  });
  return found.filter((pid) => !found.includes(parentOf(pid)));
}
