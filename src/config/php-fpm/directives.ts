// The pool directives of php-fpm as data: which there are, since when, what their values look like, and who
// answers for each when php-fpm runs the pool. Read from the option tables of php-src's
// sapi/fpm/fpm/fpm_conf.c, PHP 7.4 to 8.5; nothing here reads a config.

/** What a value looks like; "paths" is an array without keys, `NAME[] = VALUE`. */
export type DirectiveForm = "text" | "path" | "boolean" | "integer" | "time" | "paths";

/** Who answers for a directive. */
export type Owner =
  /** php-fpm itself: the directive is handed on as it is. */
  | { readonly kind: "php-fpm" }
  /** A setting of the pool, by its name in TOML. */
  | { readonly kind: "setting"; readonly name: string }
  /** fcgivisor, without a setting; completes "NAME …". */
  | { readonly kind: "fcgivisor"; readonly why: string };

export interface Directive {
  readonly form: DirectiveForm;
  readonly owner: Owner;
  /** The first version of PHP that knows it; null: all that are supported do. */
  readonly since: string | null;
}

const handedOn = (form: DirectiveForm, since: string | null = null): Directive => ({
  form,
  owner: { kind: "php-fpm" },
  since,
});
const setting = (name: string, form: DirectiveForm = "text"): Directive => ({
  form,
  owner: { kind: "setting", name },
  since: null,
});
const ours = (form: DirectiveForm, why: string, since: string | null = null): Directive => ({
  form,
  owner: { kind: "fcgivisor", why },
  since,
});

/** By name, in the order of php-fpm's own table. */
export const POOL_DIRECTIVES: ReadonlyMap<string, Directive> = new Map(
  Object.entries({
    prefix: ours("path", "is not needed: a relative path is relative to the config file"),
    user: setting("user"),
    group: setting("group"),
    listen: setting("listen"),
    "listen.backlog": setting("listen.backlog", "integer"),
    "listen.acl_users": setting("listen.acl_users"),
    "listen.acl_groups": setting("listen.acl_groups"),
    "listen.owner": setting("listen.owner"),
    "listen.group": setting("listen.group"),
    "listen.mode": setting("listen.mode"),
    "listen.allowed_clients": setting("allowed_clients"),
    "listen.setfib": ours("integer", "is for FreeBSD only", "8.2"),
    "process.priority": setting("nice", "integer"),
    "process.dumpable": handedOn("boolean"),
    pm: setting("scaling"),
    "pm.max_children": setting("workers", "integer"),
    "pm.start_servers": setting("start_workers", "integer"),
    "pm.min_spare_servers": setting("min_spare", "integer"),
    "pm.max_spare_servers": setting("max_spare", "integer"),
    "pm.max_spawn_rate": ours(
      "integer",
      "is not needed: all workers of a pool exist from its start",
      "8.1",
    ),
    "pm.process_idle_timeout": setting("idle_timeout", "time"),
    "pm.max_requests": setting("max_requests", "integer"),
    "pm.status_path": handedOn("text"),
    "pm.status_listen": ours(
      "text",
      "cannot be had: fcgivisor status answers while all workers are busy",
      "8.0",
    ),
    "ping.path": handedOn("text"),
    "ping.response": handedOn("text"),
    "access.log": handedOn("path"),
    "access.format": handedOn("text"),
    "access.suppress_path": handedOn("paths", "8.2"),
    slowlog: handedOn("path"),
    request_slowlog_timeout: handedOn("time"),
    request_slowlog_trace_depth: handedOn("integer"),
    request_terminate_timeout: handedOn("time"),
    request_terminate_timeout_track_finished: handedOn("boolean"),
    rlimit_files: setting("rlimit_files", "integer"),
    rlimit_core: setting("rlimit_core"),
    chroot: setting("chroot", "path"),
    chdir: setting("chdir", "path"),
    catch_workers_output: setting("log_output", "boolean"),
    decorate_workers_output: ours(
      "boolean",
      "is not needed: the log says of each line which pool and worker it is from",
    ),
    clear_env: setting("clear_env", "boolean"),
    "security.limit_extensions": handedOn("text"),
    apparmor_hat: handedOn("text"),
    env: setting("env"),
    php_value: setting("php.defines"),
    php_flag: setting("php.defines"),
    php_admin_value: setting("php.admin"),
    php_admin_flag: setting("php.admin"),
  }),
);

/** The directives that go into a pool's `fpm`. */
export const HANDED_ON: readonly string[] = [...POOL_DIRECTIVES]
  .filter(([, { owner }]) => owner.kind === "php-fpm")
  .map(([name]) => name);

/** The name without its brackets: `access.suppress_path[]` is `access.suppress_path`. */
export function directiveName(name: string): string {
  const bracket = name.indexOf("[");
  return bracket < 0 ? name : name.slice(0, bracket);
}

/** Whether a php-fpm of that version ("8.2") knows the directive; true where either is unknown. */
export function knownSince(name: string, version: string): boolean {
  const since = POOL_DIRECTIVES.get(directiveName(name))?.since ?? null;
  if (since === null || !/^\d+\.\d+$/.test(version)) return true;
  const [major, minor] = since.split(".").map(Number);
  const [ownMajor, ownMinor] = version.split(".").map(Number);
  return ownMajor! > major! || (ownMajor === major && ownMinor! >= minor!);
}
