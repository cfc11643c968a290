// `fcgivisor with`: a supervisor for the time of one command, such as a test suite. The command finds the pools through
// its environment; its exit code is passed on, and when it failed, the log is printed.

import { configFromCommandLine } from "../../config/load.ts";
import type { Config } from "../../config/model.ts";
import { stateDirDefault } from "../../admin/default-place.ts";
import { addressText } from "../../sys/socket/address.ts";
import { inForeground } from "../../sys/exec/foreground.ts";
import { defineCommand } from "../command.ts";
import { loadGivenConfig } from "../config/load-config.ts";
import { afterDashes, COMMON, SET, type ValuesOf } from "../options.ts";
import { printError } from "../print.ts";
import { usageFault } from "../usage.ts";
import { throwAway, type ThrowAway } from "./throw-away.ts";

const OPTIONS = {
  config: COMMON.config,
  prefix: COMMON.prefix,
  set: SET,
  exec: {
    type: "string",
    valueHint: "command",
    description: "the command, for sh; it finds the first pool in $FCGI_ADDRESS",
  },
  workers: { type: "string", valueHint: "n", description: "without a config: how many workers" },
} as const;

type Given = ValuesOf<typeof OPTIONS>;

export default defineCommand({
  name: "with",
  description:
    "Runs a command while a throw-away supervisor serves, of the config's pools or of one program: with --exec 'bun test' -- php-cgi. Its exit code is passed on.",
  options: OPTIONS,
  async run(given, { rawArgs }) {
    const { exec } = given;
    if (exec === undefined) throw usageFault("with needs --exec COMMAND", "with");
    const supervisor = await throwAway(await configOf(given, afterDashes(rawArgs)));
    try {
      const code = await inForeground(exec, { env: environmentOf(supervisor) });
      if (code !== 0)
        printError(`fcgivisor: the command exited with ${code}; the log:\n${supervisor.log()}`);
      return code;
    } finally {
      await supervisor.stop();
    }
  },
});

async function configOf(given: Given, command: readonly string[]): Promise<Config> {
  const { config, workers } = given;
  if (command.length === 0) {
    if (workers !== undefined)
      throw usageFault(
        "--workers goes with -- COMMAND; with a config: --set pools.NAME.workers=N",
        "with",
      );
    return (await loadGivenConfig(given, process.getuid!())).config;
  }
  if (config !== undefined) throw usageFault("give either -c FILE, or -- COMMAND", "with");
  if (given.set.length > 0) throw usageFault("--set goes with a config", "with");
  if (workers !== undefined && !/^[1-9][0-9]*$/.test(workers))
    throw usageFault(`--workers: "${workers}" is not a number above 0`, "with");
  const options = {
    // Another one takes its place.
    listen: "/fcgivisor.sock",
    command,
    // Whoever runs tests as root has nobody else to run them.
    allowRoot: true,
    ...(workers === undefined ? {} : { workers: Number(workers) }),
  };
  const surroundings = {
    cwd: process.cwd(),
    uid: process.getuid!(),
    stateDirDefault: stateDirDefault(),
  };
  return configFromCommandLine(options, surroundings).config;
}

/** FCGI_ADDRESS of the first pool, FCGI_ADDRESS_NAME of each, and the config for control commands. */
function environmentOf({ pools, configFile }: ThrowAway): Record<string, string | undefined> {
  const addresses = pools.map(({ config, address }) => [
    `FCGI_ADDRESS_${config.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`,
    addressText(address),
  ]);
  return {
    ...process.env,
    ...Object.fromEntries(addresses),
    FCGI_ADDRESS: addressText(pools[0]!.address),
    FCGIVISOR_CONFIG: configFile,
  };
}
