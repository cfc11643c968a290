// Everything that happens, as data. News travels up as Events through the `emit` passed down, which is
// that of the supervisor's event bus; the only place that turns one into a sentence is log/narrate.ts.

import type { FaultJson } from "./fault.ts";

/** How a process ended. `code` and `signal` as wait(2) tells them. */
export type ProcessEnd =
  | { readonly how: "exited"; readonly code: number }
  | { readonly how: "signaled"; readonly signal: string }
  | { readonly how: "vanished" };

/** Why a worker's end was expected, or that it was not. */
export type EndReason =
  | "recycled"
  | "unproven"
  | "ended"
  | "drained"
  | "stopped"
  | "start-failed"
  | "crashed"
  | "timed-out";

export type Event =
  | {
      readonly type: "supervisor-starting";
      readonly version: string;
      readonly pid: number;
      /** The config file; null = command line. */
      readonly config: string | null;
    }
  | {
      readonly type: "supervisor-ready";
      readonly pools: number;
      readonly workers: number;
      readonly ms: number;
    }
  | {
      readonly type: "supervisor-stopping";
      readonly operation: "stop" | "quit";
      readonly by: string;
    }
  | {
      /** A quit waits so long, until whoever sends requests has seen that it is not ready any more. */
      readonly type: "lame-duck";
      readonly ms: number;
    }
  | { readonly type: "supervisor-stopped"; readonly ms: number }
  | {
      /** A reload has gone over to another file. */
      readonly type: "config-switched";
      readonly from: string | null;
      readonly to: string;
    }
  | {
      /** A rollback: the config of an earlier generation is in force, whatever the files say. */
      readonly type: "rolled-back";
      readonly to: number;
      /** Why, when nobody asked for it. */
      readonly why: string | null;
    }
  | { readonly type: "probation-failed"; readonly pool: string; readonly why: string }
  | { readonly type: "probation-passed"; readonly pools: readonly string[]; readonly ms: number }
  | { readonly type: "config-warning"; readonly fault: FaultJson }
  | { readonly type: "listening"; readonly pools: readonly string[]; readonly address: string }
  | { readonly type: "listener-changed"; readonly address: string; readonly what: string }
  | {
      /** Somebody who holds the socket had changed it for all; it was set right. */
      readonly type: "listener-healed";
      readonly address: string;
      readonly pools: readonly string[];
      readonly was: readonly string[];
    }
  | { readonly type: "listener-closed"; readonly address: string }
  | {
      /** systemd gave a socket at the start: one of a unit of its own, or one that was ours and that it kept. */
      readonly type: "handed-over";
      readonly pool: string;
      readonly address: string;
      readonly maker: "fcgivisor" | "systemd";
    }
  | {
      /** A process was spawned; it provides `workers` workers: those it forks, or itself. */
      readonly type: "group-started";
      readonly pool: string;
      readonly pid: number;
      readonly generation: number;
      readonly workers: number;
      readonly forks: boolean;
    }
  | {
      readonly type: "group-ready";
      readonly pool: string;
      readonly pid: number;
      readonly ms: number;
    }
  | {
      readonly type: "group-ended";
      readonly pool: string;
      readonly pid: number;
      /** How many it provided. */
      readonly workers: number;
      /** It was their leader. */
      readonly forks: boolean;
      readonly end: ProcessEnd;
      readonly reason: EndReason;
      readonly uptimeMs: number;
    }
  | {
      /** A worker inside a group ended; the group's own leader refills. */
      readonly type: "member-ended";
      readonly pool: string;
      readonly pid: number;
      readonly leader: number;
      readonly end: ProcessEnd;
      /** Nothing was to make it leave: it crashed, or somebody killed it. */
      readonly unasked: boolean;
    }
  | {
      /** Somebody sent a leader a signal at which it ends or replaces its workers by itself. */
      readonly type: "leader-signalled";
      readonly pool: string;
      readonly leader: number;
      readonly signal: string;
    }
  | {
      /** A leader forks and forks, and none of its workers lives to serve. */
      readonly type: "fork-storm";
      readonly pool: string;
      readonly leader: number;
    }
  | {
      /** A socket was closed here, but others hold it: its address stays taken. */
      readonly type: "socket-held";
      readonly address: string;
      readonly pids: readonly number[];
    }
  | {
      readonly type: "emergency";
      readonly deaths: number;
      readonly intervalMs: number;
    }
  | {
      readonly type: "orphans-left";
      readonly pool: string;
      readonly leader: number;
      readonly pids: readonly number[];
    }
  | {
      readonly type: "backing-off";
      readonly pool: string;
      readonly failures: number;
      readonly delayMs: number;
      readonly why: string;
    }
  | { readonly type: "pool-recovered"; readonly pool: string; readonly failures: number }
  | {
      readonly type: "generation-ready";
      readonly pool: string;
      readonly generation: number;
      readonly workers: number;
      readonly ms: number;
    }
  | {
      readonly type: "generation-failed";
      readonly pool: string;
      readonly generation: number;
      readonly fault: FaultJson;
    }
  | {
      /** The supervisor before this one died, or became this one, and left workers on a socket, which was taken on. */
      readonly type: "recovered";
      readonly after: "death" | "upgrade";
      readonly pool: string;
      readonly address: string;
      readonly workers: number;
    }
  | {
      /** A socket was taken over from a master of another program, which leaves with its workers. */
      readonly type: "taken-over";
      readonly pool: string;
      readonly address: string;
      readonly workers: number;
      readonly program: string;
      readonly pid: number;
      /** The systemd service that it is of. */
      readonly unit: string | null;
    }
  | {
      /** The same, but the socket could not be taken back: it was closed for so long. */
      readonly type: "recovered-with-gap";
      readonly pool: string;
      readonly address: string;
      readonly workers: number;
      readonly why: string;
      readonly gapMs: number;
    }
  | {
      readonly type: "left-over-workers-gone";
      readonly pool: string;
      readonly workers: number;
      readonly ms: number;
    }
  | {
      readonly type: "drain-started";
      readonly pool: string;
      readonly generation: number;
      readonly workers: number;
    }
  | {
      /** A worker did not leave in time and gets a harder signal. */
      readonly type: "drain-escalated";
      readonly pool: string;
      readonly pid: number;
      readonly signal: string;
      readonly afterMs: number;
    }
  | {
      /** The same of several at once. */
      readonly type: "drains-escalated";
      readonly pool: string;
      readonly pids: readonly number[];
      readonly signal: string;
      readonly afterMs: number;
    }
  | {
      /** Not even KILL has ended it. `state`: of proc(5); `where`: the kernel function it waits in. */
      readonly type: "worker-stuck";
      readonly pool: string;
      readonly pid: number;
      readonly state: string;
      readonly where: string | null;
    }
  | {
      /** Somebody has sent it SIGSTOP. */
      readonly type: "worker-stopped";
      readonly pool: string;
      readonly pid: number;
      readonly resumesInMs: number;
    }
  | { readonly type: "worker-resumed"; readonly pool: string; readonly pid: number }
  | {
      /** Spare workers take requests again. */
      readonly type: "workers-woken";
      readonly pool: string;
      readonly workers: number;
      /** How many are active now. */
      readonly active: number;
      /** Connections that waited. */
      readonly waiting: number;
    }
  | {
      /** Idle workers were stopped, as spares. */
      readonly type: "workers-parked";
      readonly pool: string;
      readonly workers: number;
      readonly active: number;
    }
  | {
      /** A worker has lived or grown enough and is asked to leave. */
      readonly type: "worker-recycled";
      readonly pool: string;
      readonly pid: number;
      readonly reason:
        | { readonly why: "age"; readonly ms: number }
        | { readonly why: "memory"; readonly bytes: number };
    }
  | {
      /** Nobody has asked for anything for rest_timeout: its last worker leaves, too. */
      readonly type: "pool-rests";
      readonly pool: string;
    }
  | {
      /** Somebody has connected to a pool at rest. */
      readonly type: "pool-roused";
      readonly pool: string;
    }
  | {
      /** Pools want more active workers than max_workers allows. */
      readonly type: "workers-limited";
      /** Who has to do with fewer. */
      readonly pools: readonly string[];
      readonly wanted: number;
      readonly most: number;
    }
  | {
      /** What its workers do cannot be seen, so that none of them can be parked. */
      readonly type: "scaling-impossible";
      readonly pool: string;
      readonly scaling: string;
    }
  | {
      readonly type: "drain-finished";
      readonly pool: string;
      readonly generation: number;
      readonly ms: number;
    }
  /** Its request takes longer than slow_timeout, or than four times that, when it is told of again. */
  | ({ readonly type: "request-slow"; readonly isAgain: boolean } & LongRequest)
  /** Its request takes longer than request_timeout; it is killed. */
  | ({ readonly type: "request-timeout" } & LongRequest)
  | {
      /** All its workers were busy for so long, and connections waited meanwhile. */
      readonly type: "pool-saturated";
      readonly pool: string;
      readonly workers: number;
      readonly queue: number;
      readonly ms: number;
    }
  | {
      readonly type: "operation-started";
      readonly operation: string;
      readonly by: string;
      readonly detail: string;
    }
  | {
      readonly type: "operation-done";
      readonly operation: string;
      readonly ms: number;
      readonly detail: string;
    }
  | {
      readonly type: "operation-failed";
      readonly operation: string;
      readonly ms: number;
      readonly fault: FaultJson;
    }
  | {
      /** Somebody has asked for an operation on the control socket; null = the kernel does not say who. */
      readonly type: "control-word";
      readonly operation: string;
      readonly uid: number | null;
      readonly user: string | null;
      readonly pid: number | null;
      readonly command: string | null;
      readonly result: "done" | "failed" | "refused";
      readonly ms: number;
      /** What it was told; why it failed or was refused. */
      readonly detail: string;
    }
  | { readonly type: "signal-ignored"; readonly signal: string; readonly use: string }
  | { readonly type: "signal-received"; readonly signal: string }
  | { readonly type: "log-reopened"; readonly file: string }
  | {
      /** Workers wrote more than log_rate allows. */
      readonly type: "output-dropped";
      readonly pool: string;
      readonly lines: number;
      readonly bytes: number;
    }
  | { readonly type: "log-lost"; readonly lines: number; readonly why: string }
  | { readonly type: "trouble"; readonly fault: FaultJson };

/** A request that takes long, as it is seen from outside. What the texts say is the worker's affair. */
export interface LongRequest {
  readonly pool: string;
  readonly pid: number;
  readonly ageMs: number;
  readonly limitMs: number;
  /** "" where the program keeps no record of them. */
  readonly method: string;
  readonly uri: string;
  readonly script: string;
  /** `reading from 10.0.0.5:3306 (recvfrom)`. */
  readonly waiting: string;
  /** CPU time used since the request was first seen; null when that cannot be told. */
  readonly cpuMs: number | null;
  /** A line for each function, the one that runs first; empty where none can be told. */
  readonly stack: readonly string[];
  /** The file that all of it goes to; null = the log. */
  readonly slowLog: string | null;
}

export type Emit = (event: Event) => void;

/** An event as subscribers get it. */
export interface EventRecord {
  /** Counts from 1; none is left out, and a later event has a higher one. */
  readonly number: number;
  readonly time: Date;
  readonly event: Event;
}

export type LogLevel = "debug" | "notice" | "warn" | "error" | "alert";

/** A line a worker wrote, whole, without its newline. */
export interface OutputLine {
  readonly pool: string;
  /** The process that wrote it. */
  readonly pid: number;
  /** Whether that is the leader of a group, and no worker. */
  readonly byLeader: boolean;
  /** As far as the line tells; null = unknown. */
  readonly level: LogLevel | null;
  readonly text: string;
}
