// A contender: one program with four PHP workers, and what an operator does to it. Each is configured as
// its own documentation would have it, on the same scripts, socket type, queue length and worker user.

import { fcgi } from "../helper/fcgi.ts";
import { AM_ROOT } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";
import type { Stage } from "./stage.ts";

/** What the operator's command came to: exit code, and its first words where it failed. */
export interface Answer {
  readonly code: number;
  readonly words: string;
}

export interface Contender {
  readonly stage: Stage;
  /** Starts it as a daemon; the answer is that of the command. */
  readonly start: () => Promise<Answer>;
  readonly managerPid: () => number;
  /** How many workers there are. */
  readonly workers: () => number;
  /** The command that an operator reloads it with, to its end. */
  readonly reload: () => Promise<Answer>;
  /** Asks for a reload in the way that costs the asker least; for many at once. */
  readonly poke: () => Promise<unknown>;
  /** Makes its config unreadable, and applies it. */
  readonly applyBroken: () => Promise<Answer>;
  /** Gives the workers a command that cannot start, and applies it; null where workers have no command. */
  readonly applyUnstartable: (() => Promise<Answer>) | null;
}

export interface Kind {
  /** As the table has it. */
  readonly name: string;
  readonly on: (stage: Stage, workers: number) => Contender;
}

export const WORKERS = 4;
/** The queue of the listening socket, the same for all. */
export const BACKLOG = 1024;

/** Who the workers run as; null = who runs the bench. */
export const USER = AM_ROOT ? "www-data" : null;

/** A program that passes for PHP when asked for its version or settings, and ends when it should serve. */
export function unstartable(stage: Stage, phpCgi: string): string {
  const text = `#!/bin/sh\ncase "$*" in *-v*|*--test*) exec ${phpCgi} "$@";; esac\necho cannot start >&2\nexit 1\n`;
  return stage.write("cannot-start", text, 0o755);
}

/** Starts the contender and waits until all its workers serve, with OPcache on. Throws when not. */
export async function started(kind: Kind, stage: Stage, workers = WORKERS): Promise<Contender> {
  const contender = kind.on(stage, workers);
  const { code, words } = await contender.start();
  if (code !== 0) throw new Error(`${kind.name} did not start: ${words}`);
  await eventually(() => contender.workers() >= workers, {
    what: `${kind.name} has ${workers} workers`,
  });
  const { body } = await eventually(() => probe(stage, "opcache.php"));
  if (body !== "on") throw new Error(`${kind.name}: OPcache is ${body}`);
  return contender;
}

export function probe(stage: Stage, script = "hello.php") {
  return fcgi(stage.where, { script: stage.script(script), timeout: 5_000 });
}

/** Whether it answers a request now. */
export async function serves(stage: Stage): Promise<boolean> {
  return probe(stage).then(
    ({ status }) => status === 200,
    () => false,
  );
}
