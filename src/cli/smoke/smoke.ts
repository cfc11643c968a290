// `fcgivisor smoke [POOL...]`: asks each pool its own smoke requests, and tells which passed. Against the pools that run,
// or with --fresh against a throw-away supervisor of the same config, which needs neither root nor a port.

import { writeFileSync } from "node:fs";
import { didYouMean } from "../../config/nearest.ts";
import type { PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { firstOf } from "../../log/words.ts";
import { askSmoke } from "../../supervisor/start/smoke.ts";
import { defineCommand } from "../command.ts";
import { COMMON, type ValuesOf } from "../options.ts";
import { print, printJson } from "../print.ts";
import { junitText, linesOf, resultsAsJson } from "./report.ts";
import { runningPools } from "./running.ts";
import type { AskedPool, Smoked } from "./smoked.ts";

const OPTIONS = {
  ...COMMON,
  pool: {
    type: "positional",
    required: false,
    repeatable: true,
    valueHint: "pool...",
    description: "only these pools",
  },
  fresh: {
    type: "boolean",
    description: "ask a throw-away supervisor of the same config, on private sockets",
  },
  junit: {
    type: "string",
    valueHint: "file",
    description: "write the results as JUnit XML as well",
  },
} as const;

export default defineCommand({
  name: "smoke",
  description:
    "Asks each pool the requests of its `smoke` setting, and tells which passed. Exit code 1: one did not.",
  options: OPTIONS,
  async run(args) {
    const results = args.fresh ? await fresh(args) : await ask(await runningPools(args), args.pool);
    return tell(results, args);
  },
});

async function fresh(args: ValuesOf<typeof OPTIONS>): Promise<Smoked[]> {
  const { loadGivenConfig } = await import("../config/load-config.ts");
  const { throwAway } = await import("../with/throw-away.ts");
  const { config } = await loadGivenConfig({ config: args.config, prefix: args.prefix }, null);
  const wanted = chosen(config.pools, ({ name }) => name, args.pool);
  refuseNone(wanted);
  const asked = wanted.filter(({ smoke }) => smoke.length > 0);
  // Its canaries are not to ask them first: each request is to have its own result.
  const unasked = asked.map((pool) => ({ ...pool, smoke: [] }));
  const supervisor = await throwAway({ ...config, pools: unasked });
  try {
    const at = supervisor.pools.map(({ address }, i) => ({ config: asked[i]!, address }));
    return await ask(at, []);
  } finally {
    await supervisor.stop();
  }
}

async function ask(pools: readonly AskedPool[], names: readonly string[]): Promise<Smoked[]> {
  const wanted = chosen(pools, ({ config }) => config.name, names);
  refuseNone(wanted.map(({ config }) => config));
  const results: Smoked[] = [];
  for (const { config, address } of wanted) {
    for (const request of config.smoke) {
      const result = await askSmoke(config, request, address);
      results.push({ pool: config.name, request, result });
    }
  }
  return results;
}

function chosen<T>(all: readonly T[], nameOf: (one: T) => string, names: readonly string[]): T[] {
  const known = all.map(nameOf);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Fault(`there is no pool "${unknown}"${didYouMean(unknown, known)}`, {
      hint: `pools are ${firstOf(known, 20)}`,
    });
  }
  return all.filter((one) => names.length === 0 || names.includes(nameOf(one)));
}

/** A check that asks nothing must not pass. */
function refuseNone(pools: readonly PoolConfig[]): void {
  if (pools.some(({ smoke }) => smoke.length > 0)) return;
  throw new Fault("there is nothing to ask: no pool has smoke requests", {
    where: firstOf(pools.map(({ name }) => `pool ${name}`)),
    hint: 'give it some: smoke = [{ path = "/ping.php", expect = "pong" }]',
  });
}

function tell(
  results: readonly Smoked[],
  { json, quiet, junit }: ValuesOf<typeof OPTIONS>,
): number {
  if (junit !== undefined) writeJunit(junit, junitText(results));
  if (json) printJson(resultsAsJson(results));
  else {
    const failed = results.filter(({ result }) => result.wrong !== null);
    const shown = quiet ? failed : results;
    if (shown.length > 0) print(`${linesOf(shown, results).join("\n")}\n`);
  }
  return results.every(({ result }) => result.wrong === null) ? 0 : 1;
}

function writeJunit(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new Fault("the results cannot be written", {
      where: file,
      hint: "name another file with --junit",
      cause: error,
    });
  }
}
