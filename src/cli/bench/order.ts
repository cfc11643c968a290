// What a `bench` is asked to do, read from its options and checked before anything is sent.

import { duration } from "../../config/settings/durations.ts";
import type { ValuesOf } from "../options.ts";
import { type PagePlace, pagePlaceOf } from "../request/page-place.ts";
import { usageFault } from "../usage.ts";
import type { BENCH_OPTIONS } from "./options.ts";

/** The options as they come from the command line. */
type Given = Pick<
  ValuesOf<typeof BENCH_OPTIONS>,
  "to" | "rate" | "duration" | "timeout" | "connections" | "reload-every" | "reload-command"
>;

export interface BenchOrder extends PagePlace {
  /** Requests a second. */
  readonly rate: number;
  readonly durationMs: number;
  /** From the moment due. */
  readonly timeoutMs: number;
  readonly connections: number;
  readonly reload: ReloadOrder | null;
}

export interface ReloadOrder {
  readonly everyMs: number;
  /** For the shell; null = the pool is reloaded by its supervisor. */
  readonly command: string | null;
}

const RATE_MOST = 100_000;
/** Below the usual backlog: a Unix socket whose queue is full must be asked again and again. */
const CONNECTIONS = "256";

/** Throws a usage fault for whatever does not fit. */
export function orderOf(words: readonly string[], args: Given): BenchOrder {
  return {
    ...pagePlaceOf(words, { to: args.to }, "bench"),
    rate: rateOf(args.rate ?? "200"),
    durationMs: durationOf("duration", args.duration ?? "10s"),
    timeoutMs: durationOf("timeout", args.timeout ?? "10s"),
    connections: countOf(args.connections ?? CONNECTIONS),
    reload: reloadOf(args),
  };
}

function reloadOf(args: Given): ReloadOrder | null {
  const { to, "reload-every": every, "reload-command": command = null } = args;
  if (every === undefined) {
    if (command !== null) throw usage("--reload-command needs --reload-every");
    return null;
  }
  if (to !== undefined && command === null) {
    throw usage("with --to, --reload-every needs --reload-command: only a pool of ours is known");
  }
  return { everyMs: durationOf("reload-every", every), command };
}

function durationOf(option: string, text: string): number {
  const parsed = duration("10ms").parse(text, "");
  if ("ok" in parsed) return parsed.ok;
  throw usage(`--${option}: ${parsed.problem}`);
}

function rateOf(text: string): number {
  const rate = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (rate > 0 && rate <= RATE_MOST) return rate;
  throw usage(
    `--rate: "${text}" is no number of requests a second, above 0 and up to ${RATE_MOST}`,
  );
}

function countOf(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= 65535) return count;
  throw usage(`--connections: "${text}" is no count from 1 to 65535`);
}

function usage(message: string) {
  return usageFault(message, "bench");
}
