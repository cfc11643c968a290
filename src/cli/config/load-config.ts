// Finds and loads the config for commands that read one.

import { configPath, defaultStateDir, loadConfig, type Loaded } from "../../config/load.ts";
import { Fault } from "../../fault.ts";

export interface ConfigArgs {
  readonly config?: string | undefined;
  readonly prefix?: string | undefined;
  readonly "allow-root"?: boolean | undefined;
  readonly "pid-file"?: string | undefined;
  readonly "log-file"?: string | undefined;
  readonly "php-ini"?: string | undefined;
}

/** The config of -c, $FCGIVISOR_CONFIG or the system. `uid` null: nobody is going to run it. */
export async function loadGivenConfig(args: ConfigArgs, uid: number | null): Promise<Loaded> {
  const file = configPath({ given: args.config, env: process.env, calledAsPhpFpm: null });
  if (file === null) {
    throw new Fault("no config file is given", {
      exitCode: 2,
      hint: "name it with -c FILE or in $FCGIVISOR_CONFIG, or create /etc/fcgivisor/fcgivisor.toml",
    });
  }
  return loadConfig({
    file,
    env: process.env,
    uid,
    stateDirDefault: defaultStateDir(process.env, process.getuid?.() ?? 0),
    overrides: {
      allowRoot: args["allow-root"],
      pidFile: args["pid-file"],
      logFile: args["log-file"],
      phpIni: args["php-ini"],
    },
    ...(args.prefix === undefined ? {} : { prefix: args.prefix }),
  });
}
