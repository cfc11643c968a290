// Values and names of php-fpm's INI files, made at random from what has a meaning there: what fcgivisor
// makes of them is what php-fpm makes of them, or a refusal with the reason. What php-fpm refuses is refused.

import { expect } from "bun:test";
import { parse } from "smol-toml";
import { ENV, PIECES } from "../config-cases/ini-pieces.ts";
import { random, type Random } from "../config-cases/random.ts";
import { duration } from "../../src/config/settings/durations.ts";
import { phpFpmProgram } from "../helper/packages.ts";
import { behaviour, type Scene } from "../helper/scene.ts";

const SEED = 20_261_126;
/** At most as many problems as are listed at once. */
const CASES = 190;

interface Kind {
  /** The line, or for a pool's name its header. */
  readonly line: (text: string) => string;
  /** As php-fpm says it, made comparable; null: not to be compared. */
  readonly theirs: (dump: string) => unknown;
  /** The same of a pool as TOML, where defaults are left out. */
  readonly ours: (pool: Pool) => unknown;
}

type Pool = Readonly<Record<string, unknown>> & { readonly name: string };

const said = (dump: string, name: string) =>
  dump
    .split("\n")
    .findLast((line) => line.startsWith(`\t${name} = `))
    ?.slice(name.length + 4);
const inTable = (table: unknown, name: string) => (table as Record<string, unknown>)?.[name];
const milliseconds = (text: unknown) => {
  const read = duration().parse(text, "");
  return "ok" in read ? read.ok : text;
};

const KINDS: readonly Kind[] = [
  {
    line: (text) => `env[NAME] = ${text}`,
    // A dollar sign in front asks for a variable when a worker starts.
    theirs: (dump) => (said(dump, "env[NAME]")?.startsWith("$") ? null : said(dump, "env[NAME]")),
    ours: ({ env }) => inTable(env, "NAME"),
  },
  {
    line: (text) => `php_value[user_agent] = ${text}`,
    theirs: (dump) => said(dump, "php_value[user_agent]"),
    ours: ({ php }) => inTable(inTable(php, "defines"), "user_agent"),
  },
  {
    line: (text) => `php_flag[log_errors] = ${text}`,
    theirs: (dump) => Number(said(dump, "php_value[log_errors]")) === 1,
    ours: ({ php }) => Number(inTable(inTable(php, "defines"), "log_errors")) === 1,
  },
  {
    line: (text) => `pm.max_requests = ${text}`,
    theirs: (dump) => Number(said(dump, "pm.max_requests")),
    ours: (pool) => pool["max_requests"] ?? 0,
  },
  {
    line: (text) => `process.priority = ${text}`,
    theirs: (dump) => Number(said(dump, "process.priority")),
    ours: (pool) => pool["nice"],
  },
  {
    line: (text) => `request_terminate_timeout = ${text}`,
    theirs: (dump) => milliseconds(said(dump, "request_terminate_timeout")),
    ours: (pool) => milliseconds(pool["request_timeout"] ?? "0s"),
  },
  {
    line: (text) => `clear_env = ${text}`,
    theirs: (dump) => said(dump, "clear_env") === "yes",
    ours: (pool) => pool["clear_env"] ?? true,
  },
  {
    line: (text) => `listen = /socket${text}`,
    theirs: (dump) => said(dump, "listen"),
    ours: ({ listen }) => inTable(listen, "address"),
  },
];
const NAMES: Kind = {
  line: (text) => text,
  theirs: (dump) => plainName(dump.split("\n").findLast((line) => /^\[.*\]$/.test(line))),
  ours: ({ name }) => name,
};

/** As `convert` and `check` say that a pool is called here. */
function plainName(header: string | undefined): string {
  const plain = header!
    .slice(1, -1)
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replaceAll(/^[^A-Za-z0-9]+|-+$/g, "");
  return plain === "" ? "default" : plain;
}

interface Case {
  readonly kind: Kind;
  readonly text: string;
  readonly pool: string;
}

function cases(pick: Random): Case[] {
  return Array.from({ length: CASES }, (_, i) => {
    const text = Array.from({ length: 1 + pick.below(4) }, () => pick.of(PIECES)).join("");
    const isName = pick.chance(0.15);
    const kind = isName ? NAMES : pick.of(KINDS);
    // Numbered, so that no two are the same.
    const header = isName ? `[n${i}${text}]` : `[p${i}]`;
    const listen = kind === KINDS.at(-1) ? "" : `listen = /socket/${i}\n`;
    const line = isName ? "" : `${kind.line(text)}\n`;
    return {
      kind,
      text: isName ? header : line,
      pool: `${header}\n${listen}user = www-data\npm = static\npm.max_children = 1\n${line}`,
    };
  });
}

const GLOBAL = "[global]\nerror_log = /dev/null\n";

/** What php-fpm says of the case; null when it refuses it. */
async function askPhpFpm(scene: Scene, { pool }: Case, i: number): Promise<string | null> {
  const file = scene.write(`fpm/${i}.conf`, GLOBAL + pool);
  const outcome = await scene.command([phpFpmProgram()!, "-tt", "-n", "-y", file], { env: ENV });
  const lines = outcome.stderr
    .split("\n")
    .map((line) => line.replace(/^\[[^\]]*\] NOTICE: {1,2}/, ""));
  return outcome.code === 0 ? lines.join("\n") : null;
}

/** What fcgivisor makes of each case; null where it refuses it, which it must say at that case's lines. */
async function askFcgivisor(scene: Scene, all: readonly Case[]): Promise<(Pool | null)[]> {
  // Not `check`, which would look for the folders of the sockets as well.
  const convert = (some: readonly Case[]) => {
    const file = scene.write("ours.conf", GLOBAL + some.map(({ pool }) => pool).join(""));
    return scene.fcgivisor(["convert", file, "--quiet", "--php", "php-cgi"], { env: ENV });
  };
  const refused = new Set<Case>();
  const lines = all.flatMap((each) =>
    each.pool
      .split("\n")
      .slice(1)
      .map(() => each),
  );
  const { stderr } = await convert(all);
  for (const [, line] of stderr.matchAll(/ours\.conf:(\d+):\d+: (?!warning: )/g))
    refused.add(lines[Number(line) - GLOBAL.split("\n").length]!);
  const kept = all.filter((each) => !refused.has(each));
  const dump = await convert(kept);
  expect(dump.stderr).toBe("");
  const pools = Object.entries((parse(dump.stdout) as { pools: Record<string, object> }).pools);
  const resolved = new Map(
    kept.map((each, i) => [each, { ...pools[i]![1], name: pools[i]![0] } as Pool]),
  );
  return all.map((each) => resolved.get(each) ?? null);
}

behaviour(
  "values and names are what php-fpm makes of them, or refused",
  { needs: ["php-fpm", "php-cgi", "root"] },
  async (scene) => {
    const all = cases(random(SEED));
    const ours = await askFcgivisor(scene, all);
    const wrong: object[] = [];
    let same = 0;
    for (const [i, each] of all.entries()) {
      const pool = ours[i]!;
      if (pool === null) continue;
      const dump = await askPhpFpm(scene, each, i);
      const theirs = dump === null ? "refused" : each.kind.theirs(dump);
      const own = each.kind.ours(pool);
      if (theirs === null || Object.is(theirs, own)) same++;
      else wrong.push({ text: each.text, theirs, ours: own });
    }
    expect(wrong).toEqual([]);
    expect(same).toBeGreaterThan(CASES / 5);
  },
);
