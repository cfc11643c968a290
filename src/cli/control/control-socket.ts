// Which socket a control command is for. The config is read only when nothing else tells: a control
// command works while the file is broken or gone.

import { resolve } from "node:path";
import { defaultSocket, stateDirDefault } from "../../admin/default-place.ts";
import { followPointer } from "../../admin/pointer.ts";
import type { Config } from "../../config/model.ts";
import { configPath } from "../../config/default-places.ts";
import { Fault } from "../../fault.ts";
import { shellWord } from "../../log/words.ts";
import { statusIfAny } from "../../sys/file.ts";
import { listener } from "../../sys/socket/credentials.ts";
import { isOurs, nameOf } from "../../sys/trust.ts";
import type { COMMON, ValuesOf } from "../options.ts";

export type SocketArgs = Partial<Pick<ValuesOf<typeof COMMON>, "config" | "socket" | "prefix">>;

/**
 * --socket; else what the config's supervisor left; else what the config says; without a config the default
 * place. Throws a Fault (exit code 3) when a config that was named tells nothing: whoever answers at the
 * default place would be another supervisor.
 */
export async function controlSocket(args: SocketArgs): Promise<string> {
  // Whoever names it knows whose it is.
  return args.socket ?? ownSocket(await foundSocket(args));
}

/** The same socket. Throws the Fault of one that somebody else than root and this user listens on. */
export function ownSocket(socket: string): string {
  const found = listener(socket);
  if (found === null || isOurs(found.uid)) return socket;
  const user = nameOf(found.uid);
  throw new Fault(
    `the supervisor there runs as ${user}, who is neither root nor this user, and is not trusted`,
    {
      where: socket,
      hint: `run this as ${user}; or, if it is the right one, name it: --socket ${socket}`,
    },
  );
}

async function foundSocket(args: SocketArgs): Promise<string> {
  const stateDir = stateDirDefault();
  const config = configPath({ given: args.config, env: process.env, calledAsPhpFpm: null });
  if (config === null) return defaultSocket();
  const pointed = followPointer(stateDir, config);
  if (pointed !== null && statusIfAny(pointed) !== null) return pointed;
  const told = (await readConfig(config, args.prefix))?.admin.socket;
  // A pointer that leads nowhere is of one that was killed: it counts only while nothing else tells.
  if (pointed !== null && told !== undefined) {
    const { forgetStale } = await import("../../admin/pointers.ts");
    forgetStale(stateDir, config);
  }
  const found = told ?? pointed;
  if (found !== null) return found;
  if (args.config === undefined && !process.env["FCGIVISOR_CONFIG"]) return defaultSocket();
  throw new Fault(
    "fcgivisor is not running with this config, as far as can be told: no supervisor has recorded its control socket, and the file, which would name it, cannot be read",
    {
      where: resolve(config),
      exitCode: 3,
      hint: `see \`fcgivisor check -c ${shellWord(config)}\`, or name the socket: --socket ${shellWord(defaultSocket())}`,
    },
  );
}

/** What the config says, if it can be read at all. */
export async function readConfig(file: string, prefix: string | undefined): Promise<Config | null> {
  const { loadConfig } = await import("../../config/load.ts");
  try {
    const { config } = await loadConfig({
      file,
      env: process.env,
      uid: null,
      stateDirDefault: stateDirDefault(),
      ...(prefix === undefined ? {} : { prefix }),
    });
    return config;
  } catch {
    // Broken or gone, and nobody left a pointer: what is wrong with it is for `check` to say.
    return null;
  }
}
