// The table of commands. Each is imported only when it is called, so that `status` starts fast.

import type { CommandTable } from "./command.ts";

export const COMMANDS: CommandTable = {
  run: { summary: "supervise in the foreground", load: () => import("./run/run.ts") },
  start: {
    summary: "start in the background; returns when ready",
    load: () => import("./run/start.ts"),
  },
  stop: { summary: "stop at once", load: () => import("./control/stop.ts") },
  quit: {
    summary: "stop gracefully: requests in flight finish",
    load: () => import("./control/quit.ts"),
  },
  restart: {
    summary: "stop and start everything, the sockets staying open",
    load: () => import("./control/restart.ts"),
  },
  reload: {
    summary: "new config and php.ini; nothing dropped",
    load: () => import("./control/reload.ts"),
  },
  history: {
    summary: "the configs that have served",
    load: () => import("./history/history.ts"),
  },
  diff: {
    summary: "what has changed since the config of a generation",
    load: () => import("./history/diff.ts"),
  },
  rollback: {
    summary: "run with the config of an earlier generation again",
    load: () => import("./history/rollback.ts"),
  },
  scale: {
    summary: "how many workers of a pool may be active",
    load: () => import("./control/scale.ts"),
  },
  pause: {
    summary: "a pool takes no requests; connections wait",
    load: () => import("./control/pause.ts"),
  },
  resume: { summary: "it takes them again", load: () => import("./control/resume.ts") },
  logrotate: { summary: "reopen every log file", load: () => import("./control/logrotate.ts") },
  status: { summary: "pools, workers, queues", load: () => import("./status/status.ts") },
  trace: {
    summary: "what each busy worker is doing, to the line of PHP",
    load: () => import("./trace/trace.ts"),
  },
  advise: {
    summary: "how many workers a pool needs, from what was seen",
    load: () => import("./advise/advise.ts"),
  },
  logs: {
    summary: "the last lines of the log, worker output included; -f goes on",
    load: () => import("./logs/logs.ts"),
  },
  events: {
    summary: "what has happened last, as sentences or data; -f goes on",
    load: () => import("./logs/events.ts"),
  },
  upgrade: {
    summary: "replace the running program, same pid, same sockets",
    load: () => import("./control/upgrade.ts"),
  },
  check: {
    summary: "read the config, say all that is wrong with it",
    load: () => import("./config/check.ts"),
  },
  convert: {
    summary: "any config it can read, as TOML on stdout",
    load: () => import("./config/convert.ts"),
  },
  migrate: {
    summary: "a php-fpm's config as files of its own, and how to move over",
    load: () => import("./config/migrate.ts"),
  },
  init: {
    summary: "a first config that fits this machine",
    load: () => import("./config/init.ts"),
  },
  schema: {
    summary: "the JSON Schema of the config, for editors",
    load: () => import("./config/schema.ts"),
  },
  request: {
    summary: "one FastCGI request to a pool, as a smoke test",
    load: () => import("./request/request.ts"),
  },
  smoke: {
    summary: "each pool's own smoke requests, and which passed",
    load: () => import("./smoke/smoke.ts"),
  },
  with: {
    summary: "a command beside a throw-away supervisor, for tests",
    load: () => import("./with/with.ts"),
  },
  bench: {
    summary: "requests at a constant rate, reloads meanwhile, and what was lost",
    load: () => import("./bench/bench.ts"),
  },
  service: {
    summary: "prints a systemd unit, an init script, and the like",
    load: () => import("./service/service.ts"),
  },
  completion: {
    summary: "completes command lines in bash, zsh or fish",
    load: () => import("./completion/completion.ts"),
  },
  man: {
    summary: "the man page, for man and packages",
    load: async () => ({ default: (await import("./man/man.ts")).manCommand(COMMANDS) }),
  },
  help: {
    summary: "the manual: topics and commands",
    load: async () => ({ default: (await import("./help/help.ts")).helpCommand(COMMANDS) }),
  },
  demo: { summary: "shows itself working", load: () => import("./demo/demo.ts") },
  // Not listed: called by the scripts that `completion` prints.
  complete: {
    summary: "",
    load: async () => ({
      default: (await import("./completion/complete.ts")).completeCommand(COMMANDS),
    }),
  },
  // A worker for the demo and the tests, started by a supervisor.
  responder: { summary: "", load: () => import("./responder.ts") },
};
