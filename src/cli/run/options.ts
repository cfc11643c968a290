// The options of `run`, which `start` hands on.

import { COMMON, type Options, PHP } from "../options.ts";

const { config, socket, prefix, quiet } = COMMON;

export const RUN_OPTIONS = {
  config,
  socket,
  prefix,
  php: PHP,
  quiet,
  "keep-going": {
    type: "boolean",
    description: "start with the pools that come up, and go on trying the others",
  },
  takeover: {
    type: "boolean",
    description:
      "take sockets over from a php-fpm, or from workers that an earlier supervisor left without a state file",
  },
  listen: {
    type: "string",
    valueHint: "address",
    description: "without a config: where to listen",
  },
  workers: { type: "string", valueHint: "n", description: "without a config: how many workers" },
  user: { type: "string", description: "without a config: run the workers as this user" },
  group: { type: "string", description: "without a config: and as this group" },
  "allow-root": { type: "boolean", description: "let workers run as root" },
  "pid-file": { type: "string", valueHint: "path", description: "write the pid file here" },
  "log-file": { type: "string", valueHint: "path", description: 'log to this file, or "stderr"' },
  "php-ini": { type: "string", valueHint: "path", description: "php.ini of every pool" },
} as const satisfies Options;
