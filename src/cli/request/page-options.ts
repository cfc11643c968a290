// The options by which `request` and `bench` say what is asked for, and of whom.

import type { Options } from "../options.ts";

export const PAGE_OPTIONS = {
  to: {
    type: "string",
    valueHint: "address",
    description: "any FastCGI address, instead of a pool",
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
} as const satisfies Options;
