// What php-fpm itself says of its settings before a worker is started: `php-fpm -t` with the file that the
// group would have, and with the pool's php.ini.

import type { PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { complaint } from "./complaint.ts";
import { syntaxFaults } from "../php-ini.ts";
import type { Ask, Preflight } from "../runtime.ts";

/** `[DATE] ERROR: [FILE:LINE] what` and the like. */
const LINE = /^\[[^\]]*\] (ERROR|ALERT|WARNING): (?:\[[^\]]*:\d+\] )?(.*)$/;
/** What follows from an error that stands before it. */
const CONSEQUENCE =
  /^(failed to load configuration file|FPM initialization failed|failed to post process)/;

/** Whether php-fpm is to end requests that take too long. */
export function endsLongRequests({ fpm }: PoolConfig): boolean {
  return !/^0*[a-z]?$/.test(fpm.get("request_terminate_timeout") ?? "0");
}

export async function preflight(pool: PoolConfig, run: Ask): Promise<Preflight> {
  const where = `pool ${pool.name}`;
  const { output, failure } = await run(["--test"]);
  const lines = output.split("\n");
  const said = lines.flatMap((line) => {
    const [, level, text] = LINE.exec(line) ?? [];
    return text === undefined || CONSEQUENCE.test(text)
      ? []
      : [{ isError: level !== "WARNING", text }];
  });
  const faults = (isError: boolean) =>
    said.filter((each) => each.isError === isError).map(({ text }) => complaint(pool, text));
  const errors = [...syntaxFaults(pool, lines), ...(failure === null ? [] : faults(true))];
  if (failure !== null && errors.length === 0) {
    const hint = lines.filter(Boolean).slice(-3).join("; ") || "run it by hand to see why";
    errors.push(new Fault(`\`php-fpm -t\` ${failure}`, { where, hint }));
  }
  const warnings = [...(failure === null ? faults(true) : []), ...faults(false)];
  return { errors, warnings };
}
