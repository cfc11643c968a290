// The rows of the settings table that say how the supervisor itself runs: [supervisor], [admin], [log].

import { duration } from "./durations.ts";
import type { AdminConfig, LogConfig, LogLevel, SupervisorConfig } from "../model.ts";
import type { Setting } from "./setting.ts";
import * as v from "./values.ts";

const supervisor = <V>(row: Setting<SupervisorConfig, V>) => row;
const admin = <V>(row: Setting<AdminConfig, V>) => row;
const log = <V>(row: Setting<LogConfig, V>) => row;

export const SUPERVISOR = {
  pid_file: supervisor<string | null>({
    type: v.path,
    default: null,
    doc: "File that holds the supervisor's process id; none unless set.",
    example: '"/run/fcgivisor/fcgivisor.pid"',
    legacy: "global_options/pid_file",
    fpm: "global/pid",
    aliases: ["pid", "pidfile"],
    get: (from) => from.pidFile,
  }),
  state_dir: supervisor<string | null>({
    type: v.path,
    default: null,
    doc: "Folder of the control socket and the state file; /run/fcgivisor for root, else $XDG_RUNTIME_DIR/fcgivisor.",
    example: '"/run/fcgivisor"',
    get: (from) => from.stateDir,
  }),
  include: supervisor<readonly string[]>({
    type: v.strings,
    default: [],
    doc: "Further files that hold pools, as patterns; read in sorted order.",
    example: '["pools.d/*.toml"]',
    get: () => [],
  }),
  allow_root: supervisor({
    type: v.boolean,
    default: false,
    doc: "Lets workers run as root.",
    example: "true",
    get: (from) => from.allowRoot,
  }),
  stop_signal_means: supervisor<SupervisorConfig["stopSignalMeans"]>({
    type: v.oneOf(["stop", "quit"]),
    default: "stop",
    doc: 'What SIGTERM does: "stop" is at once, "quit" lets requests finish, which is what containers want.',
    example: '"quit"',
    get: (from) => from.stopSignalMeans,
  }),
  emergency_restart_threshold: supervisor({
    type: v.integer(0, 1_000_000),
    default: 0,
    doc: "So many workers dead by SIGSEGV or SIGBUS within emergency_restart_interval reload everything; 0 is off.",
    example: "10",
    legacy: "global_options/emergency_restart_threshold",
    fpm: "global/emergency_restart_threshold",
    get: (from) => from.emergencyRestartThreshold,
  }),
  emergency_restart_interval: supervisor({
    type: duration(),
    default: 0,
    doc: "The time within which emergency_restart_threshold counts; 0s is off.",
    example: '"1m"',
    legacy: "global_options/emergency_restart_interval",
    fpm: "global/emergency_restart_interval",
    get: (from) => from.emergencyRestartIntervalMs,
  }),
  max_workers: supervisor({
    type: v.integer(0, 1_000_000),
    default: 0,
    doc: "So many workers of all pools together are active at most (old ones that leave are not counted); 0 is no limit. Each pool has one, a static one all of its own.",
    example: "200",
    fpm: "global/process.max",
    get: (from) => from.maxWorkers,
  }),
};

export const ADMIN = {
  socket: admin<string | null>({
    type: v.path,
    default: null,
    doc: "Path of the control socket; admin.sock in state_dir unless set.",
    example: '"/run/fcgivisor/admin.sock"',
    get: (from) => from.socket,
  }),
  owner: admin<string | null>({
    type: v.user,
    default: null,
    doc: "Owner of the control socket; the user who started the supervisor unless set.",
    example: '"root"',
    get: (from) => from.owner,
  }),
  group: admin<string | null>({
    type: v.group,
    default: null,
    doc: "Group of the control socket.",
    example: '"adm"',
    get: (from) => from.group,
  }),
  mode: admin({
    type: v.mode,
    default: 0o600,
    doc: 'Mode of the control socket: who may write to it controls the supervisor; "0666" where there are readers or operators, who are told from others by their group.',
    example: '"0660"',
    get: (from) => from.mode,
  }),
  readers: admin<string | null>({
    type: v.group,
    default: null,
    doc: "Group that may look over the control socket (status, metrics, health), and do nothing.",
    example: '"monitoring"',
    get: (from) => from.readers,
  }),
  operators: admin<string | null>({
    type: v.group,
    default: null,
    doc: "Group that may use every word over the control socket but stop, quit and upgrade, and sees no secret of the config.",
    example: '"deploy"',
    get: (from) => from.operators,
  }),
  read_only_socket: admin<string | null>({
    type: v.path,
    default: null,
    doc: "Path of a second socket for /v1/status, /metrics, /healthz and /readyz alone, for monitoring; none unless set.",
    example: '"/run/fcgivisor/status.sock"',
    get: (from) => from.readOnlySocket,
  }),
  read_only_group: admin<string | null>({
    type: v.group,
    default: null,
    doc: "Group of the read-only socket.",
    example: '"adm"',
    get: (from) => from.readOnlyGroup,
  }),
  read_only_mode: admin({
    type: v.mode,
    default: 0o660,
    doc: "Mode of the read-only socket.",
    example: '"0666"',
    get: (from) => from.readOnlyMode,
  }),
};

export const LOG = {
  file: log<string | null>({
    type: v.logFile,
    default: null,
    doc: 'Log file, or "stderr".',
    example: '"/var/log/fcgivisor.log"',
    legacy: "global_options/error_log",
    fpm: "global/error_log",
    aliases: ["error_log"],
    get: (from) => from.file,
  }),
  level: log<LogLevel>({
    type: v.oneOf(["debug", "notice", "warn", "error", "alert"]),
    default: "notice",
    legacyDefault: "debug",
    doc: "The least severe that is logged.",
    example: '"notice"',
    legacy: "global_options/log_level",
    fpm: "global/log_level",
    aliases: ["log_level"],
    get: (from) => from.level,
  }),
  format: log<LogConfig["format"]>({
    type: v.oneOf(["text", "json"]),
    default: "text",
    doc: "Lines for people, or JSON lines.",
    example: '"json"',
    get: (from) => from.format,
  }),
};
