// The options of `bench`.

import { COMMON, type Options } from "../options.ts";

export const BENCH_OPTIONS = {
  ...COMMON,
  pool: { type: "positional", required: false, description: "which pool" },
  url: {
    type: "positional",
    required: false,
    valueHint: "url-path",
    description: "path and query of the URL",
  },
  to: {
    type: "string",
    valueHint: "address",
    description: "any FastCGI address, instead of a pool",
  },
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
  root: {
    type: "string",
    valueHint: "dir",
    description: "document root (default: the pool's chdir, or here)",
  },
  script: {
    type: "string",
    valueHint: "file",
    description: "SCRIPT_FILENAME, instead of root and path",
  },
  header: {
    type: "string",
    alias: "H",
    repeatable: true,
    valueHint: "name: value",
    description: "add a request header (repeatable)",
  },
  expect: {
    type: "string",
    valueHint: "text",
    description: "an answer without it is counted as lost",
  },
} as const satisfies Options;
