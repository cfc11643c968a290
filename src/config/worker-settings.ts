// The rows of [pools.NAME] that say what surrounds a worker: user, folders, limits, environment, PHP's
// own settings, and how its health is asked for.

import { duration, sizeLimit } from "./durations.ts";
import type { ExtraWorkers, PoolConfig } from "./model.ts";
import type { Setting } from "./setting.ts";
import { clients, defines, environment, extraWorkers } from "./special-values.ts";
import * as v from "./values.ts";

const pool = <V>(row: Setting<PoolConfig, V>) => row;

export const WORKER_SETTINGS = {
  user: pool<string | null>({
    type: v.user,
    default: null,
    doc: "User that the workers run as; needed when started by root.",
    example: '"www-data"',
    legacy: "pool/user",
    get: (from) => from.user,
  }),
  group: pool<string | null>({
    type: v.group,
    default: null,
    doc: "Group that the workers run as; the user's own unless set.",
    example: '"www-data"',
    legacy: "pool/group",
    get: (from) => from.group,
  }),
  chdir: pool<string | null>({
    type: v.path,
    default: null,
    doc: "Working directory of the workers, inside the chroot where there is one.",
    example: '"/srv/www"',
    legacy: "pool/chdir",
    get: (from) => from.chdir,
  }),
  chroot: pool<string | null>({
    type: v.path,
    default: null,
    doc: "Root directory of the workers; the program must exist inside it. Needs root.",
    example: '"/srv/jail"',
    legacy: "pool/chroot",
    get: (from) => from.chroot,
  }),
  umask: pool<number | null>({
    type: v.mode,
    default: null,
    doc: "umask(2) of the workers; the supervisor's own unless set.",
    example: '"0022"',
    get: (from) => from.umask,
  }),
  nice: pool<number | null>({
    type: v.integer(-20, 19),
    default: null,
    doc: "Scheduling priority of the workers, from -20 (first) to 19 (last).",
    example: "5",
    aliases: ["process.priority"],
    get: (from) => from.nice,
  }),
  rlimit_files: pool<number | null>({
    type: v.integer(0, 1_073_741_816),
    default: null,
    doc: "How many files a worker may have open.",
    example: "1024",
    legacy: "pool/rlimit_files",
    get: (from) => from.rlimitFiles,
  }),
  rlimit_core: pool<number | "unlimited" | null>({
    type: sizeLimit,
    default: null,
    doc: 'Largest core file of a worker: a size, 0 for none, or "unlimited".',
    example: '"64M"',
    legacy: "pool/rlimit_core",
    get: (from) => from.rlimitCore,
  }),
  clear_env: pool({
    type: v.boolean,
    default: true,
    doc: "Workers see only the variables in env; with false also the supervisor's own.",
    example: "false",
    get: (from) => from.clearEnv,
  }),
  env: pool<ReadonlyMap<string, string>>({
    type: environment,
    default: new Map(),
    doc: "Environment of the workers; a value that is $NAME as a whole is taken from the supervisor's own.",
    example: '{ PATH = "/usr/bin:/bin", HOSTNAME = "$HOSTNAME" }',
    legacy: "pool/environment",
    aliases: ["environment"],
    get: (from) => from.env,
  }),
  allowed_clients: pool<readonly string[]>({
    type: clients,
    default: [],
    doc: "IP addresses and blocks that may connect (not for Unix sockets); everybody unless set.",
    example: '["127.0.0.1"]',
    legacy: "pool/allowed_clients",
    get: (from) => from.allowedClients,
  }),
  log_output: pool({
    type: v.boolean,
    default: true,
    legacyDefault: false,
    doc: "Workers' stdout and stderr go into the log, line by line.",
    example: "true",
    legacy: "pool/catch_workers_output",
    aliases: ["catch_workers_output"],
    get: (from) => from.logOutput,
  }),
  "php.ini": pool<string | null>({
    type: v.path,
    default: null,
    doc: "php.ini file, or the folder it is in; PHP's own place unless set.",
    example: '"/etc/php/php.ini"',
    get: (from) => from.php.ini,
  }),
  "php.defines": pool<ReadonlyMap<string, string>>({
    type: defines,
    default: new Map(),
    doc: "php.ini settings of this pool.",
    example: '{ display_errors = "0" }',
    legacy: "pool/php_defines",
    aliases: ["php_defines", "php_value", "php_admin_value"],
    get: (from) => from.php.defines,
  }),
  "health.script": pool<string | null>({
    type: v.path,
    default: null,
    doc: "Script that new workers are asked for before old ones go.",
    example: '"/srv/www/ping.php"',
    get: (from) => from.health?.script ?? null,
  }),
  "health.path": pool<string | null>({
    type: v.urlPath,
    default: null,
    doc: 'URL path that new workers are asked for; "/" and the script\'s name unless set.',
    example: '"/ping"',
    get: (from) => from.health?.path ?? null,
  }),
  "health.expect": pool<string | null>({
    type: v.text,
    default: null,
    doc: "Text that the answer must contain; unless set the status alone decides.",
    example: '"pong"',
    get: (from) => from.health?.expect ?? null,
  }),
  "health.status": pool<number | null>({
    type: v.integer(100, 599),
    default: 200,
    doc: "Status that the answer must have.",
    example: "200",
    get: (from) => from.health?.status ?? null,
  }),
  "health.timeout": pool<number | null>({
    type: duration("1ms"),
    default: 5000,
    doc: "The answer must come within this.",
    example: '"5s"',
    get: (from) => from.health?.timeoutMs ?? null,
  }),
  "reload.max_extra": pool<ExtraWorkers>({
    type: extraWorkers,
    default: { kind: "percent", value: 100 },
    doc: "How many workers more than configured a reload may start at once: a count, or percent of the pool's workers. Below 100% the pool rolls through in steps, a group at least.",
    example: '"25%"',
    get: (from) => from.reload.maxExtra,
  }),
};
