// Reloads at regular moments while a load runs: one at a time, and a moment that comes while one still
// goes on is left out.

import { AdminClient } from "../../admin/client.ts";
import { didYouMean } from "../../config/nearest.ts";
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

export class Reloads {
  private readonly everyMs: number;
  private readonly reload: Reload;
  private readonly over = new AbortController();
  private readonly doneMs: number[] = [];
  private readonly failed: string[] = [];
  private readonly running: Promise<void>;

  private constructor(everyMs: number, reload: Reload) {
    this.everyMs = everyMs;
    this.reload = reload;
    this.running = this.run();
  }

  static start(everyMs: number, reload: Reload): Reloads {
    return new Reloads(everyMs, reload);
  }

  /** Begins no more, and waits for the one that goes on: `waitMs` milliseconds, or till `enough`. */
  async stop(waitMs: number, enough: AbortSignal): Promise<ReloadsResult> {
    this.over.abort();
    const late = sleep(waitMs, enough).then(() => false);
    const inTime = await Promise.race([this.running.then(() => true), late]);
    const { doneMs, failed } = this;
    return { doneMs, failed, unfinished: !inTime };
  }

  private async run(): Promise<void> {
    const { everyMs } = this;
    const { signal } = this.over;
    const began = now();
    for (;;) {
      const next = Math.floor((now() - began) / everyMs) + 1;
      await sleep(began + next * everyMs - now(), signal);
      if (signal.aborted) return;
      // A timer may fire a little early, and the same moment must not come twice.
      await Promise.all([this.once(), sleep(Math.min(everyMs / 2, 2), signal)]);
    }
  }

  private async once(): Promise<void> {
    const at = now();
    try {
      await this.reload();
      this.doneMs.push(now() - at);
    } catch (error) {
      this.failed.push(faultLines(asFault(error)).join("; "));
    }
  }
}

/** The reload of one pool by its supervisor, which must be running. Throws a Fault when it is not. */
export async function poolReload(socket: string, wanted: string | null): Promise<Reload> {
  const client = new AdminClient(socket);
  const { pools } = await client.status();
  const pool = wanted ?? pools[0]?.name;
  if (pool === undefined || !pools.some(({ name }) => name === pool)) {
    const names = pools.map(({ name }) => name);
    const which = pool === undefined ? "" : ` ${pool}${didYouMean(pool, names)}`;
    throw new Fault(`the running supervisor has no pool${which}`, {
      where: socket,
      hint: `it has: ${names.join(", ") || "none"}`,
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
