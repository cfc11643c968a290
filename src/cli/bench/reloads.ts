// Reloads at regular moments while a load runs: one at a time, and a moment that comes while one still
// goes on is left out.

import { adminClient } from "../../admin/client.ts";
import { asFault, Fault, faultLines } from "../../fault.ts";
import { now, sleep } from "../../sys/clock.ts";
import { capture } from "../../sys/process.ts";

/** Throws when the reload failed. */
export type Reload = () => Promise<unknown>;

export interface ReloadsResult {
  /** How long each took that succeeded, in milliseconds. */
  readonly doneMs: readonly number[];
  /** Why the others failed. */
  readonly failed: readonly string[];
  /** Whether the last one had not ended when there was no more waiting. */
  readonly unfinished: boolean;
}

export interface Reloads {
  /** Begins no more, and waits for the one that goes on: `waitMs` milliseconds, or till `enough`. */
  stop(waitMs: number, enough: AbortSignal): Promise<ReloadsResult>;
}

export function startReloads(everyMs: number, reload: Reload): Reloads {
  const over = new AbortController();
  const doneMs: number[] = [];
  const failed: string[] = [];
  const began = now();

  async function once(): Promise<void> {
    const at = now();
    try {
      await reload();
      doneMs.push(now() - at);
    } catch (error) {
      failed.push(faultLines(asFault(error)).join("; "));
    }
  }

  async function run(): Promise<void> {
    for (;;) {
      const next = Math.floor((now() - began) / everyMs) + 1;
      await sleep(began + next * everyMs - now(), over.signal);
      if (over.signal.aborted) return;
      // A timer may fire a little early, and the same moment must not come twice.
      await Promise.all([once(), sleep(Math.min(everyMs / 2, 2), over.signal)]);
    }
  }

  const running = run();
  return {
    async stop(waitMs, enough) {
      over.abort();
      const late = sleep(waitMs, enough).then(() => false);
      const inTime = await Promise.race([running.then(() => true), late]);
      return { doneMs, failed, unfinished: !inTime };
    },
  };
}

/** The reload of one pool by its supervisor, which must be running. Throws a Fault when it is not. */
export async function poolReload(socket: string, wanted: string | null): Promise<Reload> {
  const client = adminClient(socket);
  const { pools } = await client.status();
  const pool = wanted ?? pools[0]?.name;
  if (pool === undefined || !pools.some(({ name }) => name === pool)) {
    throw new Fault(`the running supervisor has no pool ${pool ?? ""}`, {
      where: socket,
      hint: `it has: ${pools.map(({ name }) => name).join(", ") || "none"}`,
    });
  }
  return () => client.operate("reload", { pools: [pool] });
}

const COMMAND_MS = 60_000;

/** A reload by a command of the user's, which fails when the command does. */
export function commandReload(command: string): Reload {
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
  return async () => {
    const said = await capture({ argv: ["/bin/sh", "-c", command], env }, COMMAND_MS);
    if (said.failure === null) return;
    const words = said.output.trim();
    throw new Fault(`${command}: it ${said.failure}`, words === "" ? {} : { cause: words });
  };
}
