// Broken configs of every kind: each is refused with a place and for little CPU, and nothing ever
// throws but a Fault.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { Fault, placeText } from "../../src/fault.ts";
import { smallCases } from "../config-cases/cases.ts";
import { cpuMs, yardsticks } from "../config-cases/yardstick.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

/** CPU time, in yardsticks: what the largest file that is read at all may cost. */
const MOST_UNITS = 40;

/** The first part of what is said of a file, with its place. */
async function firstSaid(file: string): Promise<string> {
  const most = yardsticks(MOST_UNITS);
  const began = cpuMs();
  const fault: unknown = await loadConfig({
    file,
    prefix: "/PREFIX",
    env: {},
    uid: null,
    stateDirDefault: "/run/fcgivisor",
  }).then(
    () => null,
    (error: unknown) => error,
  );
  expect(cpuMs() - began).toBeLessThan(most);
  if (!(fault instanceof Fault)) throw fault ?? new Error("nothing was wrong");
  const first = fault.parts[0] ?? fault;
  expect(fault.exitCode).toBe(1);
  return `${placeText(first.where ?? "")}: ${first.message}`.replaceAll(file, "FILE");
}

describe("as data", () => {
  const text = readFileSync(join(import.meta.dir, "../config-cases/broken.txt"), "utf8");
  const cases = smallCases(text);
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, { source, expected }) =>
    withTempDir(async (dir) => {
      expect(await firstSaid(await write(dir, "case", source))).toBe(expected);
    }),
  );
  test("there are at least 150", () => expect(cases.length).toBeGreaterThanOrEqual(150));
});

const TOML = '[pools.www]\nlisten = "9000"\ncommand = ["a"]\n';
const XML = "<configuration><workers>";
const INI = "[www]\nlisten = /a\npm = static\npm.max_children = 1\n";
const MB = 1024 * 1024;

/** Too large or too odd to stand in a text file. */
const MADE: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ["an empty file", "", /^FILE: the config file is empty/],
  ["only blanks", " \n\t\n", /^FILE: there is no pool/],
  ["20 MB of TOML", TOML + `# ${"x".repeat(98)}\n`.repeat(MB / 5), /^FILE: .*larger than/],
  ["20 MB of zeros", new Uint8Array(20 * MB), /^FILE: .*larger than/],
  ["2 MB of XML", `${XML}${"<section name='pool'/>".repeat(90_000)}`, /^FILE: .*larger than/],
  ["3 MB on one line", `${TOML}x = "${"y".repeat(3 * MB)}"`, /^FILE:4:1: unknown setting/],
  [
    "nearly 1 MB of XML",
    `${XML}${"<section name='pool'/>".repeat(40_000)}`,
    /^FILE:1:\d+: not well-/,
  ],
  ["2 MB of INI", INI + "a = b\n".repeat(300_000), /^FILE:5:1: unknown setting "a"/],
  ["a program", Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 0, 0]), /^FILE: .*binary file/],
  ["a picture", Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0]), /^FILE: .*binary/],
  ["compressed", Bun.gzipSync(TOML.repeat(100)), /^FILE/],
  ["bytes that are no UTF-8", Buffer.from(`${TOML}user = "\xff"\n`, "latin1"), /^FILE:4: .*UTF-8/],
  [
    "half a UTF-16 character",
    Uint8Array.from([0xff, 0xfe, 0x3c]),
    /^FILE:1: byte .* is not utf-16/,
  ],
  ["deep arrays", `${TOML}user = ${"[".repeat(50_000)}`, /^FILE:4/],
  ["deep arrays, closed", `${TOML}user = ${"[".repeat(900)}${"]".repeat(900)}\n`, /^FILE:4/],
  ["deep tables", `${TOML}user = ${"{a=".repeat(20_000)}1${"}".repeat(20_000)}\n`, /^FILE:4/],
  ["deep dotted keys", `${TOML}${"a.".repeat(50_000)}b = 1\n`, /^FILE:4/],
  ["deep table names", `[${"a.".repeat(50_000)}b]\n`, /^FILE/],
  [
    "deep elements",
    "<a>".repeat(100_000) + "</a>".repeat(100_000),
    /^FILE:1:301: elements .* more than 100 deep/,
  ],
  [
    "elements a little too deep",
    "<a>".repeat(101) + "</a>".repeat(101),
    /^FILE:1:301: .* 100 deep/,
  ],
  ["elements just not too deep", "<a>".repeat(100) + "</a>".repeat(100), /the root element is <a>/],
  ["deep elements, open", "<a>".repeat(200_000), /^FILE:1:301: elements .* more than 100 deep/],
  [
    "deep values",
    `${XML}<section name="pool">${'<value name="pm">'.repeat(20_000)}`,
    /^FILE:1:.* 100 deep/,
  ],
  ["deep INI arithmetic", `${INI}user = ${"(".repeat(200_000)}\n`, /^FILE:5:1/],
  ["deep INI arithmetic, closed", `${INI}user = ${"(".repeat(9e4)}1${")".repeat(9e4)}\n`, /^FILE/],
  ["many comments left open", `${XML}${"<!--".repeat(50_000)}`, /^FILE:1/],
  ["many quotes", `${INI}user = ${"'\"".repeat(100_000)}\n`, /^FILE:5:1/],
  [
    "many problems",
    `${TOML}${Array.from({ length: 5000 }, (_, i) => `x${i} = 1`).join("\n")}`,
    /^FILE:4:1/,
  ],
  [
    "an entity bomb",
    `<!DOCTYPE c [<!ENTITY e0 "ha">${Array.from({ length: 30 }, (_, i) => `<!ENTITY e${i + 1} "${`&e${i};`.repeat(10)}">`).join("")}]><configuration>&e30;</configuration>`,
    /^FILE:1/,
  ],
  [
    "an entity of itself",
    '<!DOCTYPE c [<!ENTITY a "&b;"><!ENTITY b "&a;">]><configuration>&a;</configuration>',
    /^FILE:1/,
  ],
];

describe("made here", () => {
  test.each(MADE)("%s", (_, content, expected) =>
    withTempDir(async (dir) => {
      expect(await firstSaid(await write(dir, "case", content))).toMatch(expected);
    }),
  );

  test("a folder, a FIFO, a socket, a device, a missing file, a loop of links, a path too long", () =>
    withTempDir(async (dir) => {
      const fifo = join(dir, "fifo");
      expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
      await mkdir(join(dir, "folder"));
      await symlink("loop", join(dir, "loop"));
      await symlink("missing", join(dir, "broken"));
      const file = await write(dir, "file", TOML);
      for (const [path, expected] of [
        [join(dir, "folder"), "this is a directory"],
        [fifo, "not a regular file"],
        ["/dev/zero", "not a regular file"],
        [join(dir, "none"), "there is no such config file"],
        [join(dir, "broken"), "there is no such config file"],
        [join(file, "below"), "there is no such config file"],
        [join(dir, "loop"), "leads in a circle"],
        [join(dir, "x".repeat(5000)), "cannot be read"],
      ] as const) {
        expect(await firstSaid(path)).toContain(expected);
      }
    }));
});
