// The life of a group as a table: what it is, what happens to it, what it becomes and what is done
// to it then. A deadline is an event like any other. A pair that is not in the table changes nothing.
// Its last states are the ladder from graceful to KILL, which workers that an earlier supervisor left,
// and what scripts left in the background, go through as well. Pure.

export type GroupState =
  /** Spawned; not all of its workers have reached accept(2) yet. */
  | "starting"
  | "serving"
  /** Its leader is gone, its workers go on serving until the replacement is there. */
  | "orphaned"
  /** Asked to finish the requests in flight and leave. */
  | "draining"
  /** Got TERM, whatever it does. */
  | "terminating"
  /** Got KILL. */
  | "killing"
  | "gone";

export type GroupEvent =
  | "ready"
  /** Did not become ready within start_timeout. */
  | "start-timeout"
  /** Its leader forks workers that end before they can serve. */
  | "workers-fail"
  /** The spawned process ended, workers of it are left. */
  | "leader-ended"
  /** Nothing of it is left. */
  | "all-ended"
  | "drain"
  | "stop"
  /** The time for the present state is over. */
  | "deadline";

export type GroupAction =
  | "nothing"
  | "ask"
  | "terminate"
  | "kill"
  /** What KILL did not end is told, and left to the kernel. */
  | "give-up"
  | "finish";

/** The states in which it is to leave. */
export type Rung = "draining" | "terminating" | "killing";

export interface RungPolicy {
  /** Sent when it comes to this; null = each process is asked when that hurts no request. */
  readonly signal: "SIGTERM" | "SIGKILL" | null;
  /** How long it lasts; null = the pool's drain_timeout. */
  readonly ms: number | null;
}

export const LADDER: Readonly<Record<Rung, RungPolicy>> = {
  draining: { signal: null, ms: null },
  // As php-fpm has it.
  terminating: { signal: "SIGTERM", ms: 1000 },
  // A process that has not died so long after KILL waits for something in the kernel.
  killing: { signal: "SIGKILL", ms: 5000 },
};

type Row = readonly [next: GroupState, action: GroupAction];

const FINISH: Row = ["gone", "finish"];
const TERMINATE: Row = ["terminating", "terminate"];
const KILL: Row = ["killing", "kill"];

export const LIFECYCLE: Readonly<Record<GroupState, Partial<Record<GroupEvent, Row>>>> = {
  starting: {
    ready: ["serving", "nothing"],
    "start-timeout": TERMINATE,
    "workers-fail": TERMINATE,
    // A leader that dies while it starts leaves nothing worth keeping.
    "leader-ended": TERMINATE,
    "all-ended": FINISH,
    drain: ["draining", "ask"],
    stop: TERMINATE,
  },
  serving: {
    "leader-ended": ["orphaned", "nothing"],
    "all-ended": FINISH,
    drain: ["draining", "ask"],
    stop: TERMINATE,
  },
  orphaned: {
    "all-ended": FINISH,
    drain: ["draining", "ask"],
    stop: TERMINATE,
  },
  draining: {
    "all-ended": FINISH,
    stop: TERMINATE,
    deadline: TERMINATE,
  },
  terminating: {
    "all-ended": FINISH,
    deadline: KILL,
  },
  killing: {
    "all-ended": FINISH,
    // A process in an uninterruptible sleep dies when it wakes, and nothing else makes it die.
    deadline: ["gone", "give-up"],
  },
  gone: {},
};

/** The next state and what to do, or null when the event changes nothing. */
export function transition(state: GroupState, event: GroupEvent): Row | null {
  return LIFECYCLE[state][event] ?? null;
}
