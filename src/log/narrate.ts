// Turns an event into a sentence; nowhere else does the program say in words what happened. The
// table has a row for every event, and a missing one is a type error. Levels: debug is what happens
// all day, notice is what somebody did or a change of state, warn was mended by the supervisor
// itself, error needs a person, alert is an emergency.

import type { LogLevel } from "./settings.ts";
import type { EndReason, Event, LongRequest } from "../event.ts";
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

const LATE_HINT =
  "if requests need longer, raise drain_timeout; if the program has a signal that lets it finish, name it as stop_signal";
const MOST_NAMED = 10;

function firstOf(pids: readonly number[]): string {
  const rest = pids.length - MOST_NAMED;
  return rest <= 0 ? list(pids) : `${pids.slice(0, MOST_NAMED).join(", ")} and ${rest} more`;
}

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
        ? `fcgivisor is stopping at once, requested by ${by}`
        : `fcgivisor is quitting, requested by ${by}; requests in flight finish`,
    ),
  "lame-duck": ({ ms }) =>
    notice(`/readyz says no from here on; requests are served for ${elapsed(ms)} more, then quit`),
  "supervisor-stopped": ({ ms }) => notice(`fcgivisor has stopped after ${elapsed(ms)}`),
  "config-switched": ({ from, to }) =>
    notice(`runs with the config ${to} from here on, instead of ${from ?? "the command line"}`),
  "rolled-back": ({ to, why }) =>
    (why === null ? notice : error)(
      `the config of generation ${to} is in force again${why === null ? "" : `, because ${why}`}; the files were not touched: correct them, then fcgivisor reload`,
    ),
  "probation-failed": ({ pool, why }) =>
    error(`the new generation of pool ${pool} has not stood its probation: ${why}; going back`),
  "probation-passed": ({ pools, ms }) =>
    notice(
      `the new workers of ${pools.length === 1 ? "pool" : "pools"} ${list(pools)} stood the probation of ${elapsed(ms)} after the reload`,
    ),
  "config-warning": ({ fault }) => warn(told("config warning", fault)),

  listening: ({ pools, address }) =>
    notice(`listening on ${address} for ${pools.length === 1 ? "pool" : "pools"} ${list(pools)}`),
  "listener-changed": ({ address, what }) => notice(`changed the socket ${address}: ${what}`),
  "listener-healed": ({ address, pools, was }) =>
    warn(
      `the socket ${address} was found ${list(was)} and has been set right; whoever did that holds it: look at the scripts of ${pools.length === 1 ? "pool" : "pools"} ${list(pools)}`,
    ),
  "listener-closed": ({ address }) => notice(`no longer listening on ${address}`),

  "handed-over": ({ pool, address, maker }) =>
    notice(
      maker === "systemd"
        ? `took over the socket ${address} of pool ${pool} from its systemd unit`
        : `took back the socket ${address} of pool ${pool}, which systemd had stored`,
    ),

  "group-started": ({ pool, pid, generation, workers, forks }) =>
    debug(
      `${forks ? "leader" : "worker"} ${pid} of pool ${pool} was started for generation ${generation}${forks ? `; it provides ${count(workers, "worker")}` : ""}`,
    ),
  "group-ready": ({ pool, pid, ms }) =>
    debug(`worker ${pid} of pool ${pool} is ready after ${elapsed(ms)}`),
  "group-ended": groupEnded,
  "member-ended": ({ pool, pid, leader, end, unasked }) => {
    const text = `worker ${pid} of pool ${pool} ${ended(end)} and was replaced by its leader ${leader}`;
    return unasked ? warn(`${text}; it crashed or was killed`) : debug(text);
  },
  "leader-signalled": ({ pool, leader, signal }) =>
    warn(
      `somebody sent ${signal} to ${leader}, the leader of pool ${pool}; another one takes its place; use \`fcgivisor ${WORD_FOR[signal] ?? "reload"}\` instead`,
    ),
  "fork-storm": ({ pool, leader }) =>
    error(
      `leader ${leader} of pool ${pool} keeps forking workers that die before they serve; it is replaced; see what its workers wrote`,
    ),
  "socket-held": ({ address, pids }) =>
    notice(
      `${address} is closed and free; ${count(pids.length, "process", "processes")} that workers started in the background still ${pids.length === 1 ? "holds" : "hold"} its descriptor (${list(pids)})`,
    ),
  emergency: ({ deaths, intervalMs }) => ({
    level: "alert",
    text: `${deaths} workers crashed within ${elapsed(intervalMs)}; reloading everything, because something they share may be broken`,
  }),
  "orphans-left": ({ pool, leader, pids }) =>
    notice(
      `leader ${leader} of pool ${pool} is gone; ${count(pids.length, "worker")} of it (${list(pids)}) ${pids.length === 1 ? "finishes its request and exits" : "finish their requests and exit"}`,
    ),
  "backing-off": ({ pool, failures, delayMs, why }) =>
    warn(
      `workers of pool ${pool} failed ${failures === 1 ? "once" : `${failures} times in a row`}: ${why}; next try in ${elapsed(delayMs)}`,
    ),
  "pool-recovered": ({ pool, failures }) =>
    notice(`pool ${pool} recovered after ${count(failures, "failure")}`),

  "generation-ready": ({ pool, generation, workers, ms }) =>
    notice(
      `generation ${generation} of pool ${pool} serves with ${count(workers, "worker")} after ${elapsed(ms)}`,
    ),
  "generation-failed": ({ pool, generation, fault }) =>
    error(told(`generation ${generation} of pool ${pool} failed to start`, fault)),
  recovered: ({ after, pool, address, workers }) => {
    const processes = count(workers, "process", "processes");
    const rest = "they exit when their replacements serve";
    return after === "death"
      ? warn(
          `took over the socket ${address} of pool ${pool} from ${processes} of an earlier supervisor; ${rest}`,
        )
      : notice(`kept the socket ${address} of pool ${pool} and ${processes} on it; ${rest}`);
  },
  "taken-over": ({ pool, address, workers, program, pid, unit }) =>
    notice(
      `took over the socket ${address} of pool ${pool} from ${program}, process ${pid}, with ${count(workers, "process", "processes")} on it; they exit when their replacements serve${unit === null ? "" : ` (to keep it from starting again: systemctl disable ${unit})`}`,
    ),
  "recovered-with-gap": ({ pool, address, workers, why, gapMs }) =>
    error(
      `could not take over the socket ${address} of pool ${pool} from ${count(workers, "process", "processes")} of an earlier supervisor (${why}); reopened it after ${elapsed(gapMs)}, during which clients may have been refused`,
    ),
  "left-over-workers-gone": ({ pool, workers, ms }) =>
    notice(
      `${count(workers, "left-over process", "left-over processes")} of pool ${pool} exited after ${elapsed(ms)}`,
    ),
  "drain-started": ({ pool, generation, workers }) =>
    notice(
      `generation ${generation} of pool ${pool} is draining: ${count(workers, "worker")} may finish requests in flight`,
    ),
  "drain-escalated": ({ pool, pid, signal, afterMs }) =>
    warn(
      `worker ${pid} of pool ${pool} has not exited after ${elapsed(afterMs)} and gets ${signal}; ${LATE_HINT}`,
    ),
  "drains-escalated": ({ pool, pids, signal, afterMs }) =>
    warn(
      `${count(pids.length, "worker")} of pool ${pool} (${firstOf(pids)}) have not exited after ${elapsed(afterMs)} and get ${signal}; ${LATE_HINT}`,
    ),
  "worker-stuck": ({ pool, pid, state, where }) =>
    error(
      `process ${pid} of pool ${pool} survives SIGKILL: ${state === "D" ? `it waits in the kernel${where === null ? "" : ` (${where})`}, often for a disk or a network file system` : `it is in state ${state}`}; it is left alone and ends when the kernel releases it`,
    ),
  "worker-stopped": ({ pool, pid, resumesInMs }) =>
    warn(
      `process ${pid} of pool ${pool} is stopped (SIGSTOP); unless somebody continues it (kill -CONT ${pid}), it is continued in ${elapsed(resumesInMs)}`,
    ),
  "worker-resumed": ({ pool, pid }) =>
    notice(`process ${pid} of pool ${pool} was still stopped and has been continued`),
  "workers-woken": ({ pool, workers, active, waiting }) =>
    debug(
      `${count(workers, "parked worker")} of pool ${pool} ${workers === 1 ? "was" : "were"} woken: ${active} are active, ${count(waiting, "connection")} waited`,
    ),
  "workers-parked": ({ pool, workers, active }) =>
    debug(
      `${count(workers, "idle worker")} of pool ${pool} ${workers === 1 ? "was" : "were"} parked: ${active} are active`,
    ),
  "worker-recycled": ({ pool, pid, reason }) =>
    debug(
      `worker ${pid} of pool ${pool} is replaced: ${reason.why === "age" ? `it is ${elapsed(reason.ms)} old; max_age` : `it holds ${Math.round(reason.bytes / 1024 / 1024)} MB; max_memory`}`,
    ),
  "pool-rests": ({ pool }) =>
    debug(`pool ${pool} is at rest: its workers leave, and the next connection starts them again`),
  "pool-roused": ({ pool }) =>
    debug(`somebody has connected to pool ${pool}, which was at rest: its workers start`),
  "workers-limited": ({ pools, wanted, most }) =>
    warn(
      `pools want ${wanted} active workers, and max_workers is ${most}: ${list(pools)} ${pools.length === 1 ? "has" : "have"} to do with fewer; raise max_workers if the machine has room for them`,
    ),
  "scaling-impossible": ({ pool, scaling }) =>
    warn(
      `pool ${pool} cannot follow its load: what its workers do cannot be seen here, so all of them stay active, as with scaling = "static" instead of "${scaling}"; give the supervisor CAP_SYS_PTRACE, or CAP_SETUID and CAP_SETGID`,
    ),
  "drain-finished": ({ pool, generation, ms }) =>
    notice(`generation ${generation} of pool ${pool} has drained after ${elapsed(ms)}`),
  "request-slow": (event) => {
    const { pool, pid, ageMs, limitMs, waiting } = event;
    const what = requestName(event);
    return warn(
      `worker ${pid} of pool ${pool} has been in ${what} for ${elapsed(ageMs)}, ${waiting}; slow_timeout is ${elapsed(limitMs)}${stackOf(event)}`,
    );
  },
  "request-timeout": (event) => {
    const { pool, pid, ageMs, limitMs, waiting } = event;
    const what = requestName(event);
    return warn(
      `worker ${pid} of pool ${pool} is killed: ${what} has taken ${elapsed(ageMs)}; request_timeout is ${elapsed(limitMs)}; it was ${waiting}${stackOf(event)}`,
    );
  },

  "pool-saturated": ({ pool, workers, queue, ms }) =>
    warn(
      `pool ${pool} is saturated: ${workers === 1 ? "its only worker has" : `all its ${workers} workers have`} been busy for ${elapsed(ms)} and ${count(queue, "connection")} ${queue === 1 ? "waits" : "wait"}; fcgivisor advise ${pool} tells how many it needs; this is said once`,
    ),

  "operation-started": ({ operation, by, detail }) =>
    notice(withDetail(`${operation} started, requested by ${by}`, detail)),
  "operation-done": ({ operation, ms, detail }) =>
    notice(withDetail(`${operation} done after ${elapsed(ms)}`, detail)),
  "operation-failed": ({ operation, ms, fault }) =>
    error(told(`${operation} failed after ${elapsed(ms)}`, fault)),
  "control-word": ({ operation, uid, user, pid, command, result, ms, detail }) => {
    const who =
      uid === null
        ? "an unknown process"
        : `${user} (uid ${uid}, process ${pid} ${command ?? "?"})`;
    const text = withDetail(
      `${who} asked for ${operation} on the control socket: ${result} after ${elapsed(ms)}`,
      detail,
    );
    return result === "refused" ? warn(text) : notice(text);
  },
  "signal-ignored": ({ signal, use }) => notice(`ignored ${signal}; use ${use}`),
  "signal-received": ({ signal }) => notice(`received ${signal}`),
  "log-reopened": ({ file }) => notice(`reopened the log file ${file}`),
  "output-dropped": ({ pool, lines, bytes }) =>
    warn(
      `${count(lines, "line")} (${Math.ceil(bytes / 1024)} kB) that workers of pool ${pool} wrote ${lines === 1 ? "was" : "were"} dropped: more than log_rate allows; raise it if they are wanted`,
    ),
  "log-lost": ({ lines, why }) =>
    error(
      `${count(lines, "line")} ${lines === 1 ? "was" : "were"} lost while the log could not be written: ${why}`,
    ),
  trouble: ({ fault }) => error(faultLines(Fault.fromJSON(fault)).join("\n")),
};

/** `GET /report.php`, as far as the program tells. */
function requestName({ method, uri, script }: LongRequest): string {
  const target = uri || script;
  return target === "" ? "its request" : `${method} ${target}`;
}

/** In the slow log there is all of it; else its top stands here. */
function stackOf({ stack, slowLog }: LongRequest): string {
  if (slowLog !== null) return `; more is in ${slowLog}`;
  return ["", ...stack.slice(0, LOGGED_FRAMES)].join("\n");
}

const LOGGED_FRAMES = 20;

/** What somebody wants who sends a php-fpm master such a signal. */
const WORD_FOR: Readonly<Record<string, string>> = {
  "SIGTERM or SIGINT": "stop",
  SIGQUIT: "quit",
  "SIGUSR2 or SIGHUP": "reload",
};

const AFTER_END: {
  readonly [R in EndReason]: { readonly say: typeof debug; readonly rest: string };
} = {
  recycled: {
    say: debug,
    rest: "after its share of requests, and is being replaced",
  },
  unproven: {
    say: debug,
    rest: "without having been seen at a request, while some were waiting",
  },
  drained: { say: debug, rest: "as requested, its last request done" },
  stopped: { say: debug, rest: "as requested" },
  "start-failed": { say: error, rest: "before it was ready" },
  "timed-out": { say: notice, rest: "because of request_timeout and is being replaced" },
  crashed: { say: warn, rest: "and is being replaced" },
  ended: { say: notice, rest: "by itself and is being replaced" },
};

function groupEnded({
  pool,
  pid,
  forks,
  end,
  reason,
  uptimeMs,
}: EventOf<"group-ended">): Narration {
  const { say, rest } = AFTER_END[reason];
  const hint = reason === "crashed" || reason === "start-failed" ? advice(end) : "";
  return say(
    `${forks ? "leader" : "worker"} ${pid} of pool ${pool} ${ended(end)} after ${elapsed(uptimeMs)} ${rest}${hint}`,
  );
}

function withDetail(text: string, detail: string): string {
  return detail === "" ? text : `${text}: ${detail}`;
}

function told(text: string, fault: FaultJson): string {
  return `${text}: ${faultLines(Fault.fromJSON(fault)).join("\n")}`;
}
