// Finds and loads the config for commands that read one.

import { resolve } from "node:path";
import { configPath, defaultStateDir, loadConfig, type Loaded } from "../../config/load.ts";
import { isPhpCgiName, isPhpFpmName } from "../../config/php-fpm/program.ts";
import { Fault } from "../../fault.ts";
import type { ValuesOf } from "../options.ts";
import type { RUN_OPTIONS } from "../run/options.ts";

export type ConfigArgs = Partial<
  Pick<
    ValuesOf<typeof RUN_OPTIONS>,
    "config" | "prefix" | "php" | "allow-root" | "pid-file" | "log-file" | "php-ini"
  >
>;

/** A path counts from here, not from where the supervisor stands later. */
function phpProgram(given: string): string {
  if (given === "")
    throw new Fault("--php is empty", { exitCode: 2, hint: "name a php-fpm or php-cgi" });
  if (!isPhpFpmName(given) && !isPhpCgiName(given))
    throw new Fault(`--php ${given}: by its name this is neither a php-fpm nor a php-cgi`, {
      exitCode: 2,
      hint: "for example: --php php-fpm8.2, or --php /opt/php/bin/php-cgi",
    });
  return given.includes("/") ? resolve(given) : given;
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
    ...(args.php === undefined ? {} : { php: phpProgram(args.php) }),
  });
}
