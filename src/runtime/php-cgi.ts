// php-cgi. With PHP_FCGI_CHILDREN it is a leader that forks workers which share one OPcache; TERM
// lets a worker finish the request in flight (the reverse of a php-fpm worker, where QUIT does).

import { Fault } from "../fault.ts";
import { phpRequestOf } from "../observe/php-request.ts";
import type { Preflight, Runtime } from "./runtime.ts";

export const phpCgi: Runtime = {
  name: "php-cgi",
  matches: (program) => /^php-?cgi[0-9.]*$|^php[0-9.]*-cgi$/.test(program),
  forks: true,
  args: (pool) => [
    ...(pool.php.ini === null ? [] : ["-c", pool.php.ini]),
    ...[...pool.php.defines.keys()].flatMap((name, i) => ["-d", `${name}="\${${variable(i)}}"`]),
  ],
  argumentVariables: (pool) =>
    Object.fromEntries([...pool.php.defines.values()].map((value, i) => [variable(i), value])),
  env: (_pool, { size, maxRequests }) => ({
    ...(size > 1 ? { PHP_FCGI_CHILDREN: String(size) } : {}),
    // Unset would mean 500; 0 is endless.
    PHP_FCGI_MAX_REQUESTS: String(maxRequests),
  }),
  forbiddenEnv: ["PHP_FCGI_CHILDREN", "PHP_FCGI_MAX_REQUESTS"],
  stopSignal: "SIGTERM",
  stopSignalWhileBusy: "finishes-request",
  recyclesItself: true,
  requestOf: phpRequestOf,
  preflight,
};

/**
 * The value of a php.ini setting may be a password (session.save_path), and everybody may read
 * arguments. PHP puts the value of a variable in the place of `${NAME}`, as it is.
 */
function variable(index: number): string {
  return `FCGIVISOR_PHP_${index}`;
}

/** `php-cgi -v` with the same ini: PHP itself goes on with half the settings when php.ini is broken, and exits 0. */
async function preflight(
  ...[pool, run]: Parameters<NonNullable<Runtime["preflight"]>>
): Promise<Preflight> {
  const said = await run(["-v"]);
  const where = `pool ${pool.name}`;
  const lines = said.output.split("\n").map((line) => line.replace(/<[^>]*>/g, "").trim());
  const syntax = lines.filter((line) => /^PHP:\s+syntax error/.test(line));
  const startup = lines.filter((line) => /^(PHP )?Warning:/.test(line));
  const errors = syntax.map(
    (line) =>
      new Fault(line.replace(/^PHP:\s+/, "php.ini: "), {
        where,
        hint: "PHP would ignore everything behind that line; correct it and try again",
      }),
  );
  if (said.failure !== null) {
    const hint = lines.filter(Boolean).slice(-3).join("; ") || "run it by hand to see why";
    errors.push(new Fault(`\`php-cgi -v\` ${said.failure}`, { where, hint }));
  }
  const unique = new Set(startup.map((line) => line.replace(/^PHP /, "")));
  const warnings = [...unique].map((line) => new Fault(`PHP says: ${line}`, { where }));
  return { errors, warnings };
}
