// What php-fpm has and fcgivisor does otherwise or not: each with the reason and what to do instead,
// so that nothing of an operator's file is dropped silently.

import type { TextForm } from "../settings/values.ts";

export interface Difference {
  readonly form: TextForm;
  /** Completes "NAME …"; null: it is handled, only not as a setting of its own. */
  readonly why: string | null;
  readonly instead?: string;
  /** Values (beside the empty one) that ask for nothing. */
  readonly harmless?: readonly string[];
  readonly array?: true;
  /** It makes a difference only where php-cgi runs the pool. */
  readonly onPhpCgi?: true;
  /** An array of values, whose keys mean nothing. */
  readonly bareKey?: true;
}

const HANDLED = null;
const LOG_INSTEAD =
  "let the web server write it: its access log has time, status and upstream time";
const STATUS_INSTEAD =
  '"fcgivisor status --json", or GET /v1/status and /metrics on the control socket; both answer while all workers are busy';

export const DIFFERENCES: Readonly<Record<string, Difference>> = {
  "global/daemonize": { form: "boolean", why: HANDLED },
  "global/process.priority": { form: "integer", why: HANDLED },
  "global/rlimit_files": { form: "integer", why: HANDLED },
  "global/rlimit_core": { form: "core", why: HANDLED },
  "global/syslog.facility": syslog(),
  "global/syslog.ident": syslog(),
  "global/log_limit": {
    form: "integer",
    why: "is not used: workers' lines go into the log at their own length",
    onPhpCgi: true,
  },
  "global/log_buffering": {
    form: "boolean",
    why: "is not used: workers' output goes into the log line by line",
    onPhpCgi: true,
  },
  "global/events.mechanism": {
    form: "text",
    why: "is not used: requests do not pass through the supervisor",
    onPhpCgi: true,
  },
  "global/systemd_interval": {
    form: "time",
    why: "is not used: no report is sent to systemd at intervals",
    instead: '"fcgivisor status" tells the same at any time',
  },
  "pool/prefix": { form: "path", why: HANDLED },
  "pool/php_value": { form: "pairs", why: HANDLED, array: true },
  "pool/php_flag": { form: "pairs", why: HANDLED, array: true },
  "pool/php_admin_value": { form: "pairs", why: HANDLED, array: true },
  "pool/php_admin_flag": { form: "pairs", why: HANDLED, array: true },
  "pool/listen.setfib": {
    form: "integer",
    why: "is not used: it is for FreeBSD only",
    harmless: ["-1"],
  },
  "pool/process.dumpable": {
    form: "boolean",
    why: "is not used: whether workers can be traced follows from the system's own rules",
    instead: "see kernel.yama.ptrace_scope, and rlimit_core for core files",
    harmless: ["0"],
  },
  "pool/pm.max_spawn_rate": {
    form: "integer",
    why: "is not used: how fast a pool grows cannot be set",
    onPhpCgi: true,
  },
  "pool/pm.status_path": status(),
  "pool/pm.status_listen": {
    form: "text",
    why: "is not opened: the supervisor has a status of its own",
    instead: STATUS_INSTEAD,
  },
  "pool/ping.path": ping(),
  "pool/ping.response": ping(),
  "pool/access.log": {
    form: "path",
    why: "is not written: requests do not pass through the supervisor",
    instead: LOG_INSTEAD,
  },
  "pool/access.format": {
    form: "text",
    why: "is not used: there is no access log",
    instead: LOG_INSTEAD,
  },
  "pool/access.suppress_path": {
    form: "pairs",
    why: "is not used: there is no access log",
    instead: LOG_INSTEAD,
    array: true,
    bareKey: true,
  },
  "pool/request_slowlog_trace_depth": {
    form: "integer",
    why: "is not used: the slow log has up to a hundred functions of a stack",
  },
  "pool/request_terminate_timeout_track_finished": {
    form: "boolean",
    why: "is not used: php-cgi has no fastcgi_finish_request()",
    harmless: ["0"],
  },
  "pool/decorate_workers_output": {
    form: "boolean",
    why: "is not used: each line in the log says which pool and worker it is from",
    instead: '[log] format = "json" keeps the line itself apart, in TOML',
    harmless: ["1"],
    onPhpCgi: true,
  },
  "pool/security.limit_extensions": {
    form: "text",
    why: "is not enforced: php-cgi runs whatever script the web server names",
    instead:
      "let the web server pass on existing .php files only (nginx: try_files $fastcgi_script_name =404;)",
  },
  "pool/apparmor_hat": {
    form: "text",
    why: "is not entered: workers run under the supervisor's own profile",
    instead: "give php-cgi a profile of its own in /etc/apparmor.d, which holds from its start",
  },
};

function syslog(): Difference {
  return {
    form: "text",
    why: "is not used: there is no output to syslog",
    instead: "under systemd a log on stderr goes to the journal: error_log = /dev/stderr",
  };
}

function status(): Difference {
  return {
    form: "text",
    why: "is not served: requests do not pass through the supervisor",
    instead: STATUS_INSTEAD,
  };
}

function ping(): Difference {
  return {
    form: "text",
    why: "is not served: requests do not pass through the supervisor",
    instead: 'ask GET /readyz on the control socket, or a script with "fcgivisor request"',
  };
}
