// Debian's own php-fpm.conf and pool file, in its folders below a scene's, and fcgivisor run with them.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { unixSpot, type Spot } from "./pool.ts";
import { alive } from "./processes.ts";
import { BINARY, ready, textOf, type CommandOptions } from "./program.ts";
import type { Scene } from "./scene.ts";

const FIXTURES = join(import.meta.dir, "../fixture/fpm");

export interface DebianFpm {
  /** php-fpm.conf. */
  readonly file: string;
  /** The folder it is in. */
  readonly folder: string;
  readonly spot: Spot;
  /** The control socket of a supervisor that runs with it. */
  readonly socket: string;
  readonly log: () => string;
}

/** Writes the files; `extra` stands at the end of www.conf. */
export function debianFpm(scene: Scene, extra = ""): DebianFpm {
  const text = (name: string) =>
    readFileSync(join(FIXTURES, name), "utf8").replaceAll("@ROOT@", scene.dir);
  for (const folder of ["run/php", "var/log"]) mkdirSync(scene.path(folder), { recursive: true });
  const folder = "etc/php/8.2/fpm";
  scene.write(`${folder}/pool.d/www.conf`, `${text("www.conf")}${extra}`);
  return {
    file: scene.write(`${folder}/php-fpm.conf`, text("php-fpm.conf")),
    folder: scene.path(folder),
    spot: unixSpot(scene, "run/php/php8.2-fpm.sock"),
    socket: scene.path("run/php/php8.2-fpm.admin.sock"),
    log: () => textOf(scene.path("var/log/php8.2-fpm.log")),
  };
}

/** Starts a supervisor with it in the foreground and waits until it is ready. `words`: further options. */
export async function runDebianFpm(
  scene: Scene,
  server: DebianFpm,
  words: readonly string[] = [],
  options: CommandOptions = {},
) {
  const child = scene.spawn([BINARY, "run", "-c", server.file, ...words], options);
  const log = (): string => child.stderr() + server.log();
  const supervisor = scene.follow(child.pid, server.file, server.socket, log);
  await ready(server.socket, () => alive(child.pid));
  return { child, supervisor };
}
