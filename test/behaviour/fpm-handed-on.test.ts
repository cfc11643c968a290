// Directives that are handed on to php-fpm, with values made at random: what `php-fpm -tt` says of the file that
// a master is given is what it says of the operator's file. What php-fpm refuses is refused, with the line.

import { expect } from "bun:test";
import { ENV, PIECES } from "../config-cases/ini-pieces.ts";
import { random, type Random } from "../config-cases/random.ts";
import { loadConfig } from "../../src/config/load.ts";
import { HANDED_ON } from "../../src/config/php-fpm/directives.ts";
import { Fault, faultLines } from "../../src/fault.ts";
import { fpmConfig } from "../../src/runtime/php-fpm/config-text.ts";
import { phpFpmProgram } from "../helper/packages.ts";
import { behaviour, type Scene } from "../helper/scene.ts";

const SEED = 20_261_129;
const CASES = 240;

/** In front of the random text, where nothing else would be sound. */
const BEGINNINGS: Readonly<Record<string, string>> = {
  "pm.status_path": "/s",
  "ping.path": "/p",
  "access.log": "DIR/access",
  slowlog: "DIR/slow",
  "access.suppress_path": "/",
};
const WORDS = ["5s", "2m", "1h", "30", "1", "yes", "no", "on", "off", "null", "/dev/null", "DIR/x"];
/** A build need not have it. */
const BUILT_IN_OR_NOT = "apparmor_hat";

const NAMES = [
  ...HANDED_ON.filter((name) => name !== BUILT_IN_OR_NOT),
  "env[NAME]",
  "php_value[user_agent]",
  "php_admin_value[user_agent]",
];

interface Case {
  readonly name: string;
  readonly line: string;
  readonly pool: string;
}

function cases(pick: Random): Case[] {
  return Array.from({ length: CASES }, (_, i) => {
    const name = NAMES[i % NAMES.length]!;
    const pieces = Array.from({ length: 1 + pick.below(4) }, () => pick.of(PIECES));
    const value = pick.chance(0.4) ? pick.of(WORDS) : (BEGINNINGS[name] ?? "") + pieces.join("");
    const line = `${name === "access.suppress_path" ? `${name}[]` : name} = ${value}`;
    // What the others need.
    const more = name === "slowlog" ? "" : "slowlog = /dev/null\n";
    const ping = name === "ping.path" ? "" : "ping.path = /ping\n";
    const pool = `[www]\nlisten = /nobody\nuser = www-data\npm = static\npm.max_children = 1\n`;
    return { name, line, pool: `${pool}${more}${ping}${line}\n` };
  });
}

/** What php-fpm says of that directive in the file; null where it refuses the file. */
async function dumped(
  scene: Scene,
  file: string,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<string[] | null> {
  const command = [phpFpmProgram()!, "-tt", "-n", "-p", scene.dir, "-y", file];
  const { code, stderr } = await scene.command(command, { env });
  if (code !== 0) return null;
  const written = name === "access.suppress_path" ? `${name}[]` : name;
  return stderr
    .split("\n")
    .map((line) => line.replace(/^\[[^\]]*\] NOTICE: {1,2}/, "").trim())
    .filter((line) => line.startsWith(`${written} =`));
}

/** The file that a master would be given; null where the config is refused, which must be said at the case's line. */
async function generated(scene: Scene, file: string, { line }: Case) {
  const options = { file, env: ENV, uid: null, stateDirDefault: "/run/fcgivisor" };
  try {
    const { config } = await loadConfig({ ...options, prefix: scene.dir, php: phpFpmProgram()! });
    const [pool] = config.pools;
    const facts = { isRoot: true, size: 1, maxRequests: 0, env: Object.fromEntries(pool!.env) };
    return fpmConfig(pool!, facts);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(faultLines(error).join("\n")).toContain(line.trim().split(" ")[0]!);
    return null;
  }
}

behaviour(
  "what is handed on reaches php-fpm as the operator's own file would bring it there",
  { needs: ["php-fpm", "root"] },
  async (scene) => {
    const wrong: object[] = [];
    const same = new Map<string, number>();
    for (const [i, each] of cases(random(SEED)).entries()) {
      const text = `[global]\nerror_log = /dev/null\n${each.pool}`.replaceAll("DIR", scene.dir);
      const file = scene.write(`theirs/${i}.conf`, text);
      const made = await generated(scene, file, each);
      if (made === null) continue;
      const theirs = await dumped(scene, file, each.name, ENV);
      const own = scene.write(`ours/${i}.conf`, made.text);
      const ours = await dumped(scene, own, each.name, made.variables);
      // A dollar sign in front asks for a variable when a worker starts.
      const looksUp = each.name === "env[NAME]" && /= \$/.test(theirs?.[0] ?? "");
      // A file that cannot be opened is refused by both.
      const isSound = theirs !== null || ["access.log", "slowlog"].includes(each.name);
      if (theirs === null && ours === null && isSound) continue;
      if (looksUp || (isSound && Bun.deepEquals(theirs, ours)))
        same.set(each.name, (same.get(each.name) ?? 0) + 1);
      else wrong.push({ line: each.line, theirs, ours });
    }
    expect(wrong).toEqual([]);
    // Each of them was tried with some value that is sound.
    expect(NAMES.filter((name) => !same.has(name))).toEqual([]);
  },
);
