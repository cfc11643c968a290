// The table of commands. Each is imported only when it is called, so that `status` starts fast.

import type { Command } from "./runner.ts";

export interface CommandRow {
  readonly summary: string;
  readonly load: () => Promise<{ default: Command }>;
}

export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  run: { summary: "supervise in the foreground", load: () => import("./run.ts") },
  start: {
    summary: "start in the background; returns when ready",
    load: () => import("./start.ts"),
  },
  check: {
    summary: "read the config, say all that is wrong with it",
    load: () => import("./check.ts"),
  },
  convert: {
    summary: "any config it can read, as TOML on stdout",
    load: () => import("./convert.ts"),
  },
  request: {
    summary: "one FastCGI request to a pool, as a smoke test",
    load: () => import("./request.ts"),
  },
  help: { summary: "the manual: topics and commands", load: () => import("./help.ts") },
  // Not listed: a worker for the demo and the tests, started by a supervisor.
  responder: { summary: "", load: () => import("./responder.ts") },
};
