// Real config files, broken at random from a fixed seed: whatever comes of it, it is a config or a Fault
// with a place, and soon.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { convertConfig } from "../../src/config/derived/convert.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Fault, faultLines } from "../../src/fault.ts";
import { random, type Random } from "../config-cases/random.ts";
import { cpuMs, yardsticks } from "../config-cases/yardstick.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

/** How many files are broken. */
const FILES = 400;
/** CPU time of one file, in yardsticks: far more than any of them takes. */
const MOST_UNITS = 4;

const CASES = join(import.meta.dir, "../config-cases");
const files = readdirSync(CASES)
  .filter((name) => /\.(toml|xml|conf)$/.test(name))
  .map((name) => readFileSync(join(CASES, name)));

/** What hurts parsers. */
const BITS = [
  ...["", "\0", "\n", "\r\n", "\t", '"', "'", "\\", "[", "]", "[[", "{", "}", "<", ">", "&", ";"],
  ...["=", "#", ",", ".", "$", "${", "<!--", "-->", "<![CDATA[", "]]>", "</value>", "<section>"],
  ...[
    "&#x110000;",
    "&amp",
    '"""',
    "-1",
    "99999999999999999999",
    "1e999",
    "nan",
    "true",
    "[global]",
  ],
  ...[
    "include = /",
    "[pools.__proto__]",
    "constructor",
    "\xff\xfe",
    "\xef\xbb\xbf",
    "ü",
    "\u{1f600}",
  ],
];

type Change = (text: Buffer, pick: Random) => Buffer;

const insert: Change = (text, pick) => {
  const at = pick.below(text.length + 1);
  return Buffer.concat([text.subarray(0, at), Buffer.from(pick.of(BITS)), text.subarray(at)]);
};
const remove: Change = (text, pick) => {
  const at = pick.below(text.length + 1);
  return Buffer.concat([text.subarray(0, at), text.subarray(at + pick.below(40))]);
};
const cut: Change = (text, pick) => text.subarray(0, pick.below(text.length + 1));
const flip: Change = (text, pick) => {
  const changed = Buffer.from(text);
  if (changed.length > 0) changed[pick.below(changed.length)] = pick.below(256);
  return changed;
};
const repeat: Change = (text, pick) => {
  const at = pick.below(text.length + 1);
  const part = text.subarray(at, at + pick.below(200));
  const times = new Array<Buffer>(1 + pick.below(50)).fill(part);
  return Buffer.concat([text.subarray(0, at), ...times, text.subarray(at)]);
};
const splice: Change = (text, pick) => {
  const other = pick.of(files);
  const from = pick.below(other.length);
  const at = pick.below(text.length + 1);
  return Buffer.concat([
    text.subarray(0, at),
    other.subarray(from, from + pick.below(400)),
    text.subarray(at),
  ]);
};
const CHANGES = [insert, insert, remove, cut, flip, repeat, splice];

function broken(pick: Random): Buffer {
  let text: Buffer = pick.of(files);
  for (let left = 1 + pick.below(4); left > 0; left--) text = pick.of(CHANGES)(text, pick);
  return text;
}

async function survives(file: string): Promise<"sound" | "refused"> {
  const most = yardsticks(MOST_UNITS);
  const began = cpuMs();
  try {
    const loaded = await loadConfig({
      file,
      env: { HOME: "/root" },
      uid: null,
      stateDirDefault: "/run/fcgivisor",
    });
    convertConfig(loaded);
    return "sound";
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const parts = error.parts.length === 0 ? [error] : error.parts;
    for (const part of parts) expect(part.where).toBeDefined();
    expect(faultLines(error).join("\n")).not.toMatch(/^\s+at .*\.ts:/m);
    return "refused";
  } finally {
    expect(cpuMs() - began).toBeLessThan(most);
  }
}

test(`${FILES} files changed at random`, () =>
  withTempDir(async (dir) => {
    const pick = random(20_081_213);
    const counts = { sound: 0, refused: 0 };
    for (let i = 0; i < FILES; i++) {
      const text = broken(pick);
      const file = await write(dir, "case", text);
      try {
        counts[await survives(file)]++;
      } catch (error) {
        throw new Error(`this file broke it:\n${JSON.stringify(text.toString("latin1"))}`, {
          cause: error,
        });
      }
    }
    expect(counts.refused).toBeGreaterThan(50);
    expect(counts.sound).toBeGreaterThan(10);
  }));
