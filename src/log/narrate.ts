// Turns an event into a sentence; nowhere else does the program say in words what happened. The
// table has a row for every event, and a missing one is a type error. Levels: debug is what happens
// all day, notice is what somebody did or a change of state, warn was mended by the supervisor
// itself, error needs a person, alert is an emergency.

import type { LogLevel } from "./settings.ts";
import type { EndReason, Event } from "../event.ts";
import { Fault, faultLines, type FaultJson } from "../fault.ts";
import { advice, count, elapsed, ended, list } from "./words.ts";

export interface Narration {
  readonly level: LogLevel;
  /** One sentence; where it tells of a fault, the fault's further lines follow. */
  readonly text: string;
}

type Kind = Event["type"];
type EventOf<K extends Kind> = Extract<Event, { type: K }>;

/** What happened, where, and for trouble what to do, with the level it is logged at. */
export function narrate(event: Event): Narration {
  const say = SENTENCES[event.type] as (event: Event) => Narration;
  return say(event);
}

const debug = (text: string): Narration => ({ level: "debug", text });
const notice = (text: string): Narration => ({ level: "notice", text });
const warn = (text: string): Narration => ({ level: "warn", text });
const error = (text: string): Narration => ({ level: "error", text });

const SENTENCES: { readonly [K in Kind]: (event: EventOf<K>) => Narration } = {
  "supervisor-starting": ({ version, pid, config }) =>
    notice(
      `fcgivisor ${version} is starting as process ${pid} with ${config === null ? "settings from the command line" : `the config ${config}`}`,
    ),
  "supervisor-ready": ({ pools, workers, ms }) =>
    notice(
      `fcgivisor is ready after ${elapsed(ms)} with ${count(pools, "pool")} and ${count(workers, "worker")}`,
    ),
  "supervisor-stopping": ({ operation, by }) =>
    notice(
      operation === "stop"
        ? `fcgivisor is stopping at once, as asked by ${by}`
        : `fcgivisor is quitting, as asked by ${by}; requests in hand finish`,
    ),
  "supervisor-stopped": ({ ms }) => notice(`fcgivisor has stopped, ${elapsed(ms)} after the word`),
  "config-warning": ({ fault }) => warn(told("the config is usable, but look at this", fault)),

  listening: ({ pools, address }) =>
    notice(`listening on ${address} for ${pools.length === 1 ? "pool" : "pools"} ${list(pools)}`),
  "listener-changed": ({ address, what }) => notice(`the socket ${address} was changed: ${what}`),
  "listener-closed": ({ address }) => notice(`no longer listening on ${address}`),

  "handed-over": ({ pool, address, maker }) =>
    notice(
      maker === "systemd"
        ? `systemd hands over its socket ${address} for pool ${pool}`
        : `systemd has kept the socket ${address} of pool ${pool} and gives it back`,
    ),

  "group-started": ({ pool, pid, generation, workers }) =>
    debug(
      `${workers === 1 ? "worker" : "leader"} ${pid} of pool ${pool} was started for generation ${generation}${workers === 1 ? "" : `; it provides ${workers} workers`}`,
    ),
  "group-ready": ({ pool, pid, ms }) =>
    debug(`worker ${pid} of pool ${pool} takes requests after ${elapsed(ms)}`),
  "group-ended": groupEnded,
  "member-ended": ({ pool, pid, leader, end, unasked }) => {
    const text = `worker ${pid} of pool ${pool} ${ended(end)} and was replaced by its leader ${leader}`;
    return unasked ? warn(`${text}; it crashed or was killed`) : debug(text);
  },
  "fork-storm": ({ pool, leader }) =>
    error(
      `leader ${leader} of pool ${pool} forks workers that do not live to serve; it is ended and started anew; look at what its workers wrote`,
    ),
  "socket-held": ({ address, pids }) =>
    notice(
      `${address} is closed and free, though ${count(pids.length, "process", "processes")} that workers started in the background still ${pids.length === 1 ? "holds" : "hold"} its descriptor (${list(pids)})`,
    ),
  emergency: ({ deaths, intervalMs }) => ({
    level: "alert",
    text: `${deaths} workers crashed within ${elapsed(intervalMs)}; reloading everything, because something they share may be broken`,
  }),
  "orphans-left": ({ pool, leader, pids }) =>
    notice(
      `leader ${leader} of pool ${pool} is gone; ${count(pids.length, "worker")} that it left (${list(pids)}) ${pids.length === 1 ? "finishes its request and leaves" : "finish their requests and leave"}`,
    ),
  "backing-off": ({ pool, failures, delayMs, why }) =>
    warn(
      `workers of pool ${pool} failed ${failures === 1 ? "once" : `${failures} times in a row`}: ${why}; the next try is in ${elapsed(delayMs)}`,
    ),
  "pool-recovered": ({ pool, failures }) =>
    notice(`pool ${pool} is well again after ${count(failures, "failure")}`),

  "generation-ready": ({ pool, generation, workers, ms }) =>
    notice(
      `generation ${generation} of pool ${pool} serves with ${count(workers, "worker")} after ${elapsed(ms)}`,
    ),
  "generation-failed": ({ pool, generation, fault }) =>
    error(
      told(
        `generation ${generation} of pool ${pool} did not come up, and takes over nothing`,
        fault,
      ),
    ),
  recovered: ({ after, pool, address, workers }) => {
    const processes = count(workers, "process", "processes");
    const rest = "they leave when their replacements serve";
    return after === "death"
      ? warn(
          `took the socket ${address} of pool ${pool} back out of ${processes} that an earlier supervisor left; ${rest}`,
        )
      : notice(
          `goes on with the socket ${address} of pool ${pool} and ${processes} on it; ${rest}`,
        );
  },
  "recovered-with-gap": ({ pool, address, workers, why, gapMs }) =>
    error(
      `the socket ${address} of pool ${pool} could not be taken back from ${count(workers, "process", "processes")} of an earlier supervisor (${why}); they were asked to leave and it was opened anew, after ${elapsed(gapMs)} in which clients may have been refused`,
    ),
  "strays-left": ({ pool, workers, ms }) =>
    notice(
      `${count(workers, "process", "processes")} of an earlier supervisor left pool ${pool} after ${elapsed(ms)}`,
    ),
  "drain-started": ({ pool, generation, workers }) =>
    notice(
      `generation ${generation} of pool ${pool} is leaving: ${count(workers, "worker")} may finish the request in hand`,
    ),
  "drain-escalated": ({ pool, pid, signal, afterMs }) =>
    warn(
      `worker ${pid} of pool ${pool} has not left after ${elapsed(afterMs)} and is sent ${signal}; if its requests need longer, raise drain_timeout`,
    ),
  "worker-stuck": ({ pool, pid, state, where }) =>
    error(
      `process ${pid} of pool ${pool} does not die of SIGKILL: ${state === "D" ? `it waits in the kernel${where === null ? "" : ` (${where})`}, often for a disk or a network file system` : `it is in state ${state}`}; it is left alone, and ends when the kernel lets it go`,
    ),
  "worker-stopped": ({ pool, pid, resumesInMs }) =>
    warn(
      `process ${pid} of pool ${pool} is stopped, as by SIGSTOP, and does nothing; if nobody continues it (kill -CONT ${pid}), it is continued in ${elapsed(resumesInMs)}`,
    ),
  "worker-resumed": ({ pool, pid }) =>
    notice(`process ${pid} of pool ${pool} was still stopped and is continued`),
  "drain-finished": ({ pool, generation, ms }) =>
    notice(`generation ${generation} of pool ${pool} has left after ${elapsed(ms)}`),
  "request-timeout": ({ pool, pid, ageMs, limitMs }) =>
    warn(
      `worker ${pid} of pool ${pool} is terminated: its request has taken ${elapsed(ageMs)}, and request_timeout is ${elapsed(limitMs)}`,
    ),

  "operation-started": ({ operation, by, detail }) =>
    notice(withDetail(`${operation} has begun, as asked by ${by}`, detail)),
  "operation-done": ({ operation, ms, detail }) =>
    notice(withDetail(`${operation} is done after ${elapsed(ms)}`, detail)),
  "operation-failed": ({ operation, ms, fault }) =>
    error(told(`${operation} failed after ${elapsed(ms)}`, fault)),
  "signal-ignored": ({ signal, use }) => notice(`${signal} changes nothing here; use ${use}`),
  "signal-received": ({ signal }) => notice(`${signal} was received`),
  "log-reopened": ({ file }) => notice(`the log file ${file} was reopened`),
  "log-lost": ({ lines, why }) =>
    error(
      `${count(lines, "line")} ${lines === 1 ? "was" : "were"} lost while the log could not be written: ${why}`,
    ),
  trouble: ({ fault }) => error(faultLines(Fault.fromJSON(fault)).join("\n")),
};

const AFTER_END: {
  readonly [R in EndReason]: { readonly say: typeof debug; readonly rest: string };
} = {
  recycled: {
    say: debug,
    rest: "and is being replaced, as usual after its share of requests",
  },
  drained: { say: debug, rest: "as it was asked to, its last request done" },
  stopped: { say: debug, rest: "as it was told to" },
  "start-failed": { say: error, rest: "before it took a request" },
  "timed-out": { say: notice, rest: "for the request_timeout, and is being replaced" },
  crashed: { say: warn, rest: "and is being replaced" },
  ended: { say: notice, rest: "by itself and is being replaced" },
};

function groupEnded({
  pool,
  pid,
  workers,
  end,
  reason,
  uptimeMs,
}: EventOf<"group-ended">): Narration {
  const { say, rest } = AFTER_END[reason];
  const hint = reason === "crashed" || reason === "start-failed" ? advice(end) : "";
  return say(
    `${workers > 1 ? "leader" : "worker"} ${pid} of pool ${pool} ${ended(end)} after ${elapsed(uptimeMs)} ${rest}${hint}`,
  );
}

function withDetail(text: string, detail: string): string {
  return detail === "" ? text : `${text}: ${detail}`;
}

function told(text: string, fault: FaultJson): string {
  return `${text}: ${faultLines(Fault.fromJSON(fault)).join("\n")}`;
}
