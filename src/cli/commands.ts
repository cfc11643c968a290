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
  logrotate: { summary: "reopen every log file", load: () => import("./control/logrotate.ts") },
  status: { summary: "pools, workers, queues", load: () => import("./status/status.ts") },
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
  bench: {
    summary: "requests at a constant rate, reloads meanwhile, and what was lost",
    load: () => import("./bench/bench.ts"),
  },
  service: {
    summary: "prints a systemd unit, an init script, and the like",
    load: () => import("./service/service.ts"),
  },
  help: {
    summary: "the manual: topics and commands",
    load: async () => ({ default: (await import("./help/help.ts")).helpCommand(COMMANDS) }),
  },
  demo: { summary: "shows itself working", load: () => import("./demo/demo.ts") },
  // Not listed: a worker for the demo and the tests, started by a supervisor.
  responder: { summary: "", load: () => import("./responder.ts") },
};
