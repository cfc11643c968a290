// The JSON Schema of what the control socket answers, and of what commands print with --json: `status` is
// an answer to GET /v1/status, `supervisor` to GET /v1/supervisor, `advice` to GET /v1/advice, `outcome` to each POST.
// Draft 7, as that of the config.

import type { EndReason } from "../event.ts";
import type { JsonSchema } from "../config/settings/values.ts";

type Properties = Readonly<Record<string, JsonSchema>>;

const TEXT = { type: "string" };
const COUNT = { type: "integer", minimum: 0 };
const END_REASONS = [
  "recycled",
  "unproven",
  "ended",
  "drained",
  "stopped",
  "start-failed",
  "crashed",
  "timed-out",
] as const satisfies readonly EndReason[];
const FLAG = { type: "boolean" };

/** An object whose names are all there, but for those in `optional`. */
function object(required: Properties, optional: Properties = {}): JsonSchema {
  return {
    type: "object",
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  };
}

function list(items: JsonSchema): JsonSchema {
  return { type: "array", items };
}

function orNull(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: "null" }] };
}

function named(name: string): JsonSchema {
  return { $ref: `#/definitions/${name}` };
}

const PLACE = object({ file: TEXT }, { line: COUNT, column: COUNT, text: TEXT });

const FAULT = {
  description: "What went wrong: where, the cause, and what to do next.",
  ...object(
    { message: TEXT },
    {
      where: { anyOf: [TEXT, PLACE] },
      hint: TEXT,
      cause: TEXT,
      parts: list(named("fault")),
    },
  ),
};

const WORKER_STATE = { enum: ["idle", "busy", "working", "parked", "stopped", "unknown"] };

const WORKER_REQUEST = {
  method: TEXT,
  uri: TEXT,
  query: TEXT,
  script: TEXT,
  content_length: COUNT,
};

const WORKER_DETAILS = { state_ms: COUNT, age_ms: orNull(COUNT), cpu_ms: COUNT };

/** Only with `?detail=1`. */
const WORKER_MEMORY = { pss_bytes: orNull(COUNT), private_bytes: orNull(COUNT) };

const WORKER = object(
  {
    pid: COUNT,
    state: WORKER_STATE,
    rss_bytes: orNull(COUNT),
    request: orNull(object(WORKER_REQUEST)),
    request_ms: orNull(COUNT),
    ...WORKER_DETAILS,
  },
  WORKER_MEMORY,
);

const GROUP = object({
  pid: COUNT,
  generation: COUNT,
  state: TEXT,
  uptime_ms: COUNT,
  draining: orNull(object({ age_ms: COUNT, left_ms: COUNT })),
  workers: list(WORKER),
});

const POOL = object({
  name: TEXT,
  state: { enum: ["serving", "degraded", "down", "resting", "paused"] },
  listen: TEXT,
  runtime: TEXT,
  user: orNull(TEXT),
  scaling: TEXT,
  follows_load: FLAG,
  generation: COUNT,
  workers: object({
    wanted: COUNT,
    idle: COUNT,
    busy: COUNT,
    parked: COUNT,
    unknown: COUNT,
    starting: COUNT,
    draining: COUNT,
  }),
  queue: orNull(object({ length: COUNT, limit: COUNT, most: COUNT, full: COUNT })),
  load: object({
    busy_most: COUNT,
    all_busy: COUNT,
    cpu_ms: COUNT,
    requests_per_second: orNull({ type: "number", minimum: 0 }),
    cpu_percent: COUNT,
    queue_recent: list(orNull(COUNT)),
    busy_recent: list(COUNT),
  }),
  memory: object({
    pss_bytes: orNull(COUNT),
    warm_bytes: orNull(COUNT),
    fresh_bytes: orNull(COUNT),
  }),
  counts: object({
    requests: orNull(COUNT),
    workers_started: COUNT,
    workers_ended: object({}, Object.fromEntries(END_REASONS.map((reason) => [reason, COUNT]))),
    slow_requests: COUNT,
    recycles: object({ max_age: COUNT, max_memory: COUNT }),
    request_timeouts: COUNT,
    backoffs: COUNT,
    escalations: COUNT,
    lines_dropped: COUNT,
  }),
  last_error: orNull(object({ at: TEXT, message: TEXT })),
  background: COUNT,
  failures: COUNT,
  groups: list(GROUP),
});

const SUPERVISOR = {
  name: { const: "fcgivisor" },
  version: TEXT,
  pid: COUNT,
  state: TEXT,
  operation: orNull(TEXT),
  started_at: TEXT,
  uptime_ms: COUNT,
  config: orNull(TEXT),
  socket: TEXT,
  log: orNull(TEXT),
  generation: COUNT,
  rolled_back: orNull(object({ to: COUNT, why: orNull(TEXT) })),
  stopped_pools: { type: "array", items: TEXT },
  upgrade: orNull(object({ id: TEXT, from: TEXT, failure: orNull(TEXT) })),
  rss_bytes: orNull(COUNT),
};

const STATUS = {
  ...SUPERVISOR,
  tcp_drops: orNull(object({ overflows: COUNT, drops: COUNT })),
  last_reload: orNull(
    object({ at: TEXT, result: { enum: ["done", "failed"] }, ms: COUNT, message: orNull(TEXT) }),
  ),
  operations: list(
    object({
      operation: TEXT,
      result: { enum: ["done", "failed"] },
      count: COUNT,
      sum_ms: COUNT,
      up_to: list(list({ type: "number" })),
    }),
  ),
  emergencies: COUNT,
  pools: list(POOL),
};

const CHANGE = object({ setting: TEXT, from: orNull(TEXT), to: orNull(TEXT) });

const OUTCOME_OF_POOL = object(
  {
    pool: TEXT,
    outcome: { enum: ["added", "removed", "readdressed", "replaced"] },
    listen: TEXT,
    changes: list(CHANGE),
  },
  { because: TEXT },
);

const REPORT = object(
  { operation: TEXT, pid: COUNT, duration_ms: COUNT, generation: COUNT },
  {
    dry_run: FLAG,
    pools: list(OUTCOME_OF_POOL),
    drained: FLAG,
    cut: COUNT,
    left_behind: COUNT,
    background: list(object({ pool: TEXT, count: COUNT, pids: list(COUNT) })),
    stuck: list(object({ pool: TEXT, pid: COUNT })),
    settings: list(CHANGE),
    back_to: COUNT,
    needs_restart: list(CHANGE),
    files: list(TEXT),
    pool: TEXT,
    already: FLAG,
    active: object({ pool: TEXT, least: COUNT, most: COUNT, was_least: COUNT, was_most: COUNT }),
    paused: object({ pool: TEXT, still_busy: COUNT, already: FLAG }),
    resumed: object({ pool: TEXT, already: FLAG, waiting: COUNT }),
    warnings: list(TEXT),
  },
);

const POOL_ADVICE = object({
  pool: TEXT,
  verdict: { enum: ["unknown", "enough", "fewer would do", "more", "memory", "processors"] },
  workers: COUNT,
  advised: COUNT,
  setting: TEXT,
  wanted: COUNT,
  busy_most: COUNT,
  queue_most: orNull(COUNT),
  all_busy: COUNT,
  looks: COUNT,
  room: orNull(COUNT),
  worker_bytes: orNull(COUNT),
  limit_bytes: orNull(COUNT),
  cpu_percent_all_busy: COUNT,
  hours: list(object({ at: TEXT, busy_most: COUNT, queue_most: COUNT, all_busy_percent: COUNT })),
});

const ADVICE = object({
  processors: COUNT,
  free_bytes: orNull(COUNT),
  pools: list(POOL_ADVICE),
});

const HISTORY_ENTRY = object({
  since: COUNT,
  generation: COUNT,
  at: TEXT,
  by: TEXT,
  config: orNull(TEXT),
  pools: COUNT,
});

const STACK_FRAME = object({
  function: TEXT,
  class: orNull(TEXT),
  file: orNull(TEXT),
  line: orNull(COUNT),
});

/** The answer to GET /v1/trace. */
const TRACE = object({
  workers: list(
    object({
      pid: COUNT,
      pool: TEXT,
      generation: COUNT,
      state: WORKER_STATE,
      request_ms: orNull(COUNT),
      request: orNull(object({ method: TEXT, uri: TEXT, script: TEXT })),
      waiting: orNull(object({ text: TEXT, call: orNull(TEXT), on: orNull(TEXT) })),
      stack: object({
        frames: list(STACK_FRAME),
        cut: FLAG,
        moving: FLAG,
        unsure: orNull(TEXT),
      }),
    }),
  ),
  idle: COUNT,
});

/** A line of GET /v1/trace?seconds=, and what `trace --top --json` adds up of them. */
const PROFILE = object({
  samples: COUNT,
  idle: COUNT,
  unsure: COUNT,
  uncounted: COUNT,
  stacks: list(object({ count: COUNT, frames: list(STACK_FRAME), cut: FLAG })),
});

export function answersSchema(): JsonSchema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "fcgivisor's answers",
    anyOf: [
      ...["status", "supervisor", "outcome", "history", "advice"].map((answer) => named(answer)),
      ...["trace", "profile"].map((answer) => named(answer)),
    ],
    definitions: {
      status: object(STATUS),
      supervisor: object(SUPERVISOR),
      advice: ADVICE,
      outcome: {
        anyOf: [
          object({ ok: { const: true }, report: named("report") }),
          object({ ok: { const: false }, fault: named("fault") }),
        ],
      },
      history: list(HISTORY_ENTRY),
      trace: TRACE,
      profile: PROFILE,
      report: REPORT,
      fault: FAULT,
    },
  };
}
