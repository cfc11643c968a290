// A config of php-fpm as the TOML files of a supervisor of its own: one for the supervisor, and one a pool.
// Pure; who writes them where is the command's business.

import { join } from "node:path";
import { convertedLine, noteLines } from "./convert.ts";
import type { Loaded } from "../finish.ts";
import { commentText, poolLines, type RenderedSetting, supervisorLines } from "./render.ts";

export const MAIN_FILE = "fcgivisor.toml";
export const POOLS_FOLDER = "pools.d";

/** Names of its own, so that it and what it takes the place of can run side by side. */
export interface OwnPlaces {
  readonly pidFile: string;
  readonly stateDir: string;
  readonly logFile: string;
}

export interface MigratedFile {
  /** Relative to the folder of the config. */
  readonly name: string;
  readonly text: string;
  /** The file that it is made from. */
  readonly from: string | null;
}

/** `/etc/fcgivisor` has the system's usual places; any other folder has them inside. */
export function ownPlaces(folder: string): OwnPlaces {
  if (folder === "/etc/fcgivisor") {
    const stateDir = "/run/fcgivisor";
    return {
      stateDir,
      pidFile: join(stateDir, "fcgivisor.pid"),
      logFile: "/var/log/fcgivisor.log",
    };
  }
  const stateDir = join(folder, "run");
  return {
    stateDir,
    pidFile: join(stateDir, "fcgivisor.pid"),
    logFile: join(folder, "fcgivisor.log"),
  };
}

/** The main file first. */
export function migratedFiles(loaded: Loaded, places: OwnPlaces): MigratedFile[] {
  const { source, pools } = loaded.config;
  const head = `# Made by fcgivisor migrate from ${commentText(source.file ?? "")}.\n`;
  const file = (name: string, lines: readonly string[], from: string | null) => ({
    name,
    text: `${head}${lines.join("\n")}\n`,
    from,
  });
  const lineOf = (setting: RenderedSetting) => convertedLine(setting, source.format);
  const include = `include = ["${POOLS_FOLDER}/*.toml"]`;
  const own = supervisorLines(withPlaces(loaded, places), lineOf, [include]);
  return [
    file(MAIN_FILE, own, source.file),
    ...pools.map((pool) => {
      const lines = poolLines(loaded, pool, lineOf, (name) => noteLines(loaded, name));
      return file(`${POOLS_FOLDER}/${pool.name}.toml`, lines, pool.place?.file ?? null);
    }),
  ];
}

function withPlaces(loaded: Loaded, { pidFile, stateDir, logFile }: OwnPlaces): Loaded {
  const { config } = loaded;
  const origins = new Map(loaded.origins);
  for (const name of ["supervisor.pid_file", "supervisor.state_dir", "log.file"])
    origins.set(name, "its own");
  origins.delete("admin.socket");
  return {
    ...loaded,
    origins,
    config: {
      ...config,
      supervisor: { ...config.supervisor, pidFile, stateDir },
      // A container's log stays where it is.
      log: { ...config.log, file: config.log.file === null ? null : logFile },
    },
  };
}
