// `bun cost.ts SHAPE SIZE`: the CPU milliseconds that reading a made-up config of about SIZE bytes
// costs, the least of three, in a process of its own so that nothing else is counted. The shapes are
// those that a reader finds hard: many lines, many names, many mistakes, one long line.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { withTempDir } from "./temp-dir.ts";
import { cpuMs, yardsticks } from "./yardstick.ts";

const INI = "[www]\nlisten = /a\npm = static\npm.max_children = 1\n";
const TOML = '[pools.www]\nlisten = "9000"\ncommand = ["a"]\n';
const XML =
  '<configuration><workers><section name="pool"><value name="listen_address">9000</value><value name="pm"><value name="max_children">2</value></value>';
const XML_END = "</section></workers></configuration>";

type Shape = (bytes: number) => string;

/** Pieces, each made from its number, until they are so many bytes. */
function each(piece: (i: number) => string): Shape {
  return (bytes) => {
    const pieces: string[] = [];
    for (let length = 0; length < bytes; length += pieces.at(-1)!.length)
      pieces.push(piece(pieces.length));
    return pieces.join("");
  };
}

function inside(before: string, shape: Shape, after = ""): Shape {
  return (bytes) => before + shape(bytes) + after;
}

export const SHAPES: Readonly<Record<string, Shape>> = {
  "INI: empty lines": inside(
    INI,
    each(() => "\n"),
  ),
  "INI: one unknown setting": inside(
    INI,
    each(() => "a = b\n"),
  ),
  "INI: unknown settings": inside(
    INI,
    each((i) => `listen.bucklog${i} = 1\n`),
  ),
  "INI: one setting": inside(
    INI,
    each(() => "user = a\n"),
  ),
  "TOML: comments": inside(
    TOML,
    each(() => `# ${"x".repeat(70)}\n`),
  ),
  "TOML: a text of many lines": inside(
    `${TOML}user = """`,
    each(() => `${"x".repeat(70)}\n`),
    '"""\n',
  ),
  "XML: unknown settings": inside(
    XML,
    each((i) => `<value name="max_requezts${i}">b</value>`),
    XML_END,
  ),
  "XML: one setting": inside(
    XML,
    each(() => '<value name="user">b</value>'),
    XML_END,
  ),
  "XML: environment again": inside(
    XML,
    each((i) => `<value name="environment"><value name="V${i}">b</value></value>`),
    XML_END,
  ),
};

async function cost(shape: Shape, bytes: number): Promise<number> {
  return withTempDir(async (dir) => {
    const file = join(dir, "case");
    writeFileSync(file, shape(bytes));
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      Bun.gc(true);
      const began = cpuMs();
      const options = { file, prefix: "/PREFIX", env: {}, uid: null, stateDirDefault: "/run/f" };
      await loadConfig(options).catch(() => {});
      least = Math.min(least, cpuMs() - began);
    }
    return least;
  });
}

if (import.meta.main) {
  const [shape, ...sizes] = process.argv.slice(2);
  const costs: number[] = [];
  for (const size of sizes) costs.push(await cost(SHAPES[shape!]!, Number(size)));
  console.log(JSON.stringify({ costs, yardstick: yardsticks(1) }));
}
