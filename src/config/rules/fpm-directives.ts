// The rules of a pool's `fpm` that look at more than one directive, or at the pool's program.

import { directiveSeconds } from "../php-fpm/directive-value.ts";
import { directiveName, knownSince, POOL_DIRECTIVES } from "../php-fpm/directives.ts";
import { phpFpmVersion, runsPhpFpm } from "../php-fpm/program.ts";
import type { Problems } from "../problems.ts";
import type { ReadPool } from "./read-pool.ts";

export function checkFpmDirectives(pool: ReadPool, problems: Problems): void {
  const { name, fpm } = pool.config;
  if (fpm.size === 0 || ["fpm", "command", "runtime"].some((each) => pool.failed.has(each))) return;
  const wrong: Wrong = (directive, what, hint) =>
    problems.error(`pool ${name}: ${what}`, pool.place("fpm", directive), hint);
  if (!runsPhpFpm(pool.config)) {
    wrong(
      [...fpm.keys()][0]!,
      `fpm is for php-fpm, and this pool runs ${pool.config.command[0]}: nobody would follow ${[...fpm.keys()].join(", ")}`,
      'remove it, or run php-fpm: command = ["php-fpm"]; if it stands in [defaults], move it to the pools that run php-fpm',
    );
    return;
  }
  checkVersion(pool, wrong);
  checkPing(pool, wrong);
  checkTimes(pool, wrong);
}

type Wrong = (directive: string, what: string, hint: string) => void;

function checkVersion({ config }: ReadPool, wrong: Wrong): void {
  const program = config.command[0]!;
  const version = phpFpmVersion(program);
  if (version === null) return;
  for (const name of config.fpm.keys()) {
    if (knownSince(name, version)) continue;
    const since = POOL_DIRECTIVES.get(directiveName(name))!.since;
    wrong(
      name,
      `${program} does not know "${directiveName(name)}", which is new in PHP ${since}`,
      "remove it, or run a newer php-fpm",
    );
  }
}

function checkPing({ config: { fpm } }: ReadPool, wrong: Wrong): void {
  if (fpm.get("ping.response") !== "" || (fpm.get("ping.path") ?? "") === "") return;
  const hint = 'write some text, or leave it out: php-fpm answers "pong" then';
  wrong("ping.response", "ping.response is empty", hint);
}

function checkTimes({ config }: ReadPool, wrong: Wrong): void {
  const { fpm, requestTimeoutMs } = config;
  const seconds = (name: string) => directiveSeconds(fpm.get(name) ?? "0") ?? 0;
  const [slow, most] = [seconds("request_slowlog_timeout"), seconds("request_terminate_timeout")];
  const depth = fpm.get("request_slowlog_trace_depth");
  const asks = slow > 0 ? "request_slowlog_timeout" : "request_slowlog_trace_depth";
  if ((slow > 0 || (depth !== undefined && depth !== "0")) && (fpm.get("slowlog") ?? "") === "")
    wrong(asks, `${asks} needs slowlog`, "name a file for it: slowlog = /var/log/www.slow.log");
  if (most > 0 && slow > most)
    wrong(
      "request_slowlog_timeout",
      `request_slowlog_timeout is longer than request_terminate_timeout: no request would get there`,
      "make it shorter, or remove one of them",
    );
  if (most > 0 && requestTimeoutMs > 0)
    wrong(
      "request_terminate_timeout",
      "request_terminate_timeout and request_timeout are both given",
      "keep one of them: php-fpm follows the first, fcgivisor the second",
    );
}
