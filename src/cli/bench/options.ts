// The options of `bench`.

import { COMMON, type Options } from "../options.ts";
import { PAGE_OPTIONS } from "../request/page-options.ts";

export const BENCH_OPTIONS = {
  ...COMMON,
  pool: { type: "positional", required: false, description: "which pool" },
  url: {
    type: "positional",
    required: false,
    valueHint: "url-path",
    description: "path and query of the URL",
  },
  to: PAGE_OPTIONS.to,
  rate: { type: "string", valueHint: "number", description: "requests a second (default: 200)" },
  duration: { type: "string", valueHint: "duration", description: "how long (default: 10s)" },
  "reload-every": {
    type: "string",
    valueHint: "duration",
    description: "reload the pool so often meanwhile",
  },
  "reload-command": {
    type: "string",
    valueHint: "command",
    description: "what reloads it, for the shell (default: the pool's supervisor)",
  },
  connections: {
    type: "string",
    valueHint: "count",
    description: "at most so many at once (default: 256)",
  },
  timeout: {
    type: "string",
    valueHint: "duration",
    description: "for one request, from the moment it was due (default: 10s)",
  },
  root: PAGE_OPTIONS.root,
  script: PAGE_OPTIONS.script,
  header: PAGE_OPTIONS.header,
  expect: {
    type: "string",
    valueHint: "text",
    description: "an answer without it is counted as lost",
  },
} as const satisfies Options;
