// Where the supervisor of a control socket keeps its files, for when it has died and cannot be asked.

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { stateDirDefault } from "../../admin/default-place.ts";
import { followPointer } from "../../admin/pointer.ts";
import { configPath } from "../../config/default-places.ts";
import { readConfig, type SocketArgs } from "./control-socket.ts";

export interface Traces {
  readonly stateDir: string;
  readonly pidFile: string | null;
  readonly config: string | null;
}

/** What the config says, if it is that socket's; else what stands beside the socket. */
export async function tracesOf(args: SocketArgs, socket: string): Promise<Traces> {
  const file = configPath({ given: args.config, env: process.env, calledAsPhpFpm: null });
  const config = file === null ? null : await readConfig(file, args.prefix);
  if (config?.admin.socket !== socket) return { ...placesOf(resolve(socket)), config: file };
  const { stateDir, pidFile } = config.supervisor;
  return { stateDir, pidFile, config: file };
}

function placesOf(socket: string): Omit<Traces, "config"> {
  const stateDir = followPointer(stateDirDefault(), socket);
  const beside = placesBeside(socket);
  return stateDir === null || stateDir === beside.stateDir ? beside : { stateDir, pidFile: null };
}

/** php-fpm.admin.sock and php-fpm.sock have php-fpm.state and php-fpm.pid beside them; admin.sock is in its state folder. */
function placesBeside(path: string): Omit<Traces, "config"> {
  const name = path.replace(/(\.admin)?\.sock$/, "");
  const stateDir = `${name}.state`;
  return existsSync(stateDir)
    ? { stateDir, pidFile: `${name}.pid` }
    : { stateDir: dirname(path), pidFile: null };
}
