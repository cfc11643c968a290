// A MariaDB of a scene's own: its data below the scene's folder, on a Unix socket only, as a user of its own. Whoever
// reaches the socket may do everything.

import { chownSync, cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { LIBRARIES, mariadbCommand, UNPACKED } from "./packages.ts";
import { alive } from "./processes.ts";
import { AS_NOBODY, NOBODY, type Scene } from "./scene.ts";
import { eventually } from "./wait.ts";

const MESSAGES = "usr/share/mysql";
const CHARSETS = "usr/share/mysql/charsets";
/** Of all that is unpacked, what it needs. */
const PARTS = ["usr/sbin/mariadbd", LIBRARIES, "usr/share/mysql/english", CHARSETS];

/** Starts it with one empty database, and resolves with the path of its socket when it can be asked. Needs root. */
export async function mariadb(scene: Scene, database: string): Promise<string> {
  const root = scene.path("mariadb");
  const data = join(root, "data");
  mkdirSync(data, { recursive: true });
  chownSync(data, NOBODY, NOBODY);
  const server = [...AS_NOBODY, ...ofItsOwn(root), ...options(root, data)];
  const input = `create database ${database};\n`;
  const created = await scene.command([...server, "--bootstrap"], { input });
  if (created.code !== 0) throw new Error(`MariaDB: ${created.stderr}`);
  const socket = join(data, "mariadb.sock");
  const child = scene.spawn([...server, "--skip-networking", `--socket=${socket}`]);
  const isReady = () => {
    if (!alive(child.pid)) throw new Error(child.stderr());
    return child.stderr().includes("ready for connections");
  };
  await eventually(isReady, { what: "MariaDB is ready" });
  return socket;
}

/** The command, of a copy of the program: where it is unpacked need not be open to its user. */
function ofItsOwn(root: string): string[] {
  for (const part of PARTS)
    cpSync(join(UNPACKED, part), join(root, part), { recursive: true, dereference: true });
  return mariadbCommand(root);
}

/** Small, and content without the tables of a server that many use. */
function options(root: string, data: string): string[] {
  return [
    "--no-defaults",
    `--datadir=${data}`,
    `--lc-messages-dir=${join(root, MESSAGES)}`,
    `--character-sets-dir=${join(root, CHARSETS)}`,
    "--skip-grant-tables",
    "--performance-schema=0",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    // A container may not allow it.
    "--innodb-use-native-aio=0",
    // What a test has stored need not outlive the machine.
    "--innodb-flush-log-at-trx-commit=0",
  ];
}
