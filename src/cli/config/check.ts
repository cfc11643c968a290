// `fcgivisor check`: reads the config, says all that is wrong with it, and touches nothing.

import type { Loaded } from "../../config/load.ts";
import { together } from "../../config/together.ts";
import { asFault, type Fault, faultLines } from "../../fault.ts";
import { loadGivenConfig } from "./load-config.ts";
import { print, printData, printError, printJson } from "../print.ts";
import { defineCommand } from "../command.ts";
import { COMMON, PHP, type ValuesOf } from "../options.ts";
import { usageFault } from "../usage.ts";

const OPTIONS = {
  file: {
    type: "positional",
    required: false,
    valueHint: "file",
    description: "the config to check, as -c FILE",
  },
  config: COMMON.config,
  prefix: COMMON.prefix,
  php: PHP,
  socket: COMMON.socket,
  against: {
    type: "boolean",
    description: "print the plan that a reload of the running supervisor would follow",
  },
  dump: {
    type: "boolean",
    description: "print the config as it is resolved, each setting with its origin",
  },
  security: {
    type: "boolean",
    description: "print which protections each pool does without, and what pools share",
  },
  json: COMMON.json,
  quiet: COMMON.quiet,
} as const;

type Given = Omit<ValuesOf<typeof OPTIONS>, "file">;

export default defineCommand({
  name: "check",
  description: "Reads the config and says all that is wrong with it. Touches nothing.",
  options: OPTIONS,
  async run({ file, ...options }) {
    if (file !== undefined && options.config !== undefined)
      throw usageFault("name the config once: check FILE, or check -c FILE", "check");
    const given = { ...options, config: file ?? options.config };
    return given.json ? checkAsJson(given) : check(given);
  },
});

async function check(options: Given): Promise<number> {
  const { loaded, warnings } = await checked(options);
  if (!options.quiet) printWarnings(warnings);
  if (options.dump) {
    const { dumpConfig } = await import("../../config/derived/dump.ts");
    printData(dumpConfig(loaded));
  } else if (options.security) {
    const { securityLines } = await import("./security.ts");
    print(`${securityLines(loaded.config).join("\n")}\n`);
  } else if (options.against) {
    const { reportLines } = await import("../control/report-text.ts");
    print(`${reportLines(await planOf(loaded, options)).join("\n")}\n`);
  } else if (!options.quiet) {
    print(`${verdict(loaded)}\n`);
  }
  return 0;
}

async function checkAsJson(options: Given): Promise<number> {
  try {
    const { loaded, warnings } = await checked(options);
    const { source, pools } = loaded.config;
    const plan = options.against ? { plan: await planOf(loaded, options) } : {};
    printJson({
      ok: true,
      file: source.file,
      format: source.format,
      pools: pools.map((p) => p.name),
      warnings,
      ...plan,
    });
    return 0;
  } catch (error) {
    const fault = asFault(error);
    printJson({ ok: false, fault });
    return fault.exitCode;
  }
}

async function planOf({ config }: Loaded, options: Given) {
  const { planAgainstRunning } = await import("./against.ts");
  return planAgainstRunning(config, options);
}

async function checked(options: Given) {
  const loaded = await loadGivenConfig(options, process.getuid?.() ?? 0);
  // What the config alone cannot tell (users, programs, folders) is looked at here.
  const { preflight } = await import("../../supervisor/start/preflight.ts");
  const { takenAddresses } = await import("../../supervisor/start/machine-fit.ts");
  const found = await preflight(loaded.config);
  const taken = takenAddresses(loaded.config);
  return { loaded, warnings: [...loaded.warnings, ...found, ...together(taken)] };
}

function verdict({ config }: Loaded): string {
  const count = config.pools.length === 1 ? "1 pool" : `${config.pools.length} pools`;
  return `${config.source.file}: ok, ${count}`;
}

function printWarnings(warnings: readonly Fault[]): void {
  for (const warning of warnings) printError(`warning: ${faultLines(warning).join("\n")}\n`);
}
