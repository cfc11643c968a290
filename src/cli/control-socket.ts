// Which socket a control word is for. The config is read only when nothing else tells: a control
// word works while the file is broken or gone.

import { join } from "node:path";
import { followPointer } from "../admin/pointer.ts";
import { configPath, defaultStateDir } from "../config/default-places.ts";

export interface SocketArgs {
  readonly config?: string | undefined;
  readonly socket?: string | undefined;
  readonly prefix?: string | undefined;
}

/** The state directory when no config says otherwise. */
export function stateDirDefault(): string {
  return defaultStateDir(process.env, process.getuid!());
}

/** --socket; else what the config's supervisor left; else what the config says; else the default place. */
export async function controlSocket(args: SocketArgs): Promise<string> {
  if (args.socket !== undefined) return args.socket;
  const stateDir = stateDirDefault();
  const fallback = join(stateDir, "admin.sock");
  const config = configPath({ given: args.config, env: process.env, calledAsPhpFpm: null });
  if (config === null) return fallback;
  return followPointer(stateDir, config) ?? (await socketInConfig(config, args.prefix)) ?? fallback;
}

async function socketInConfig(file: string, prefix: string | undefined): Promise<string | null> {
  const { loadConfig } = await import("../config/load.ts");
  try {
    const { config } = await loadConfig({
      file,
      env: process.env,
      uid: null,
      stateDirDefault: stateDirDefault(),
      ...(prefix === undefined ? {} : { prefix }),
    });
    return config.admin.socket;
  } catch {
    // Broken or gone, and nobody left a pointer: what is wrong with it is for `check` to say.
    return null;
  }
}
