// What a PHP program, php-cgi or php-fpm, tells of its php.ini when it is asked.

import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";

/** Files and folders that the output of `-i` names, as text or HTML: php.ini, the folder of further files, and those. */
export function iniFiles(pool: PoolConfig, output: string): string[] {
  const named = (row: string) =>
    (new RegExp(`${row} *(?:</td><td class="v">|=> )([^<]*?)(?:<|\\n[^/])`).exec(output)?.[1] ?? "")
      .split(/[,:\n]/)
      .map((path) => path.trim());
  return [
    ...(pool.php.ini === null ? [] : [pool.php.ini]),
    ...["Loaded Configuration File", "Scan this dir for additional .ini files"].flatMap(named),
    ...named("Additional .ini files parsed"),
  ].filter((path) => path.startsWith("/"));
}

/**
 * Settings that have PHP write its own errors, and what scripts give to error_log(), to the worker's stderr: with
 * fastcgi.logging php-cgi and php-fpm send it to the web server. Before the pool's own, which win.
 */
export function errorSettings({ php }: PoolConfig): readonly (readonly [string, string])[] {
  if (php.errors === "web-server") return [];
  return [
    ["fastcgi.logging", "0"],
    ["log_errors", "1"],
    ["error_log", ""],
  ];
}

/** The errors of php.ini among the lines of an answer: PHP goes on with half the settings, and exits 0. */
export function syntaxFaults(pool: PoolConfig, lines: readonly string[]): Fault[] {
  return lines
    .filter((line) => /^PHP:\s+syntax error/.test(line))
    .map(
      (line) =>
        new Fault(line.replace(/^PHP:\s+/, "php.ini: "), {
          where: `pool ${pool.name}`,
          hint: "PHP would ignore everything behind that line; correct it and try again",
        }),
    );
}
