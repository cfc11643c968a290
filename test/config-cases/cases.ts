// Config cases as data: an input file beside `NAME.expected`, and files of many small cases. This
// reads them, and writes what the config reader made of an input in the words of an expectation.

import { dumpConfig } from "../../src/config/derived/dump.ts";
import { loadConfig, type Loaded } from "../../src/config/load.ts";
import { Fault, faultLines } from "../../src/fault.ts";
import { withTempDir, write } from "./temp-dir.ts";

export interface SmallCase {
  readonly name: string;
  readonly source: string;
  readonly expected: string;
}

/** Cases of the form `=== NAME`, source lines, `---`, expected lines. */
export function smallCases(text: string): SmallCase[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((block) => {
      const [head = "", expected = ""] = block.split(/^---$/m);
      const [name = "", ...source] = head.split("\n");
      return { name, source: source.join("\n"), expected: expected.trim() };
    });
}

/** Nothing of it exists, so the machine has no say in what the pools run. */
export const PHP_FPM = "/nowhere/php-fpm8.2";

/** `php`: what the pools of a php-fpm config run; TOML says it itself. */
export function load(file: string, uid: number | null, php = "php-cgi"): Promise<Loaded> {
  return loadConfig({
    file,
    prefix: "/PREFIX",
    env: {},
    uid,
    stateDirDefault: "/run/fcgivisor",
    ...(file.endsWith(".toml") ? {} : { php }),
  });
}

/** What there is to say about the file: its problems, or its warnings and the resolved config. */
export async function outcome(file: string, uid: number | null, php?: string): Promise<string> {
  const lines = await load(file, uid, php).then(
    (loaded) => [...loaded.warnings.flatMap(asWarning), ...dumpConfig(loaded).split("\n")],
    (error: unknown) => {
      if (error instanceof Fault) return faultLines(error);
      throw error;
    },
  );
  return lines.join("\n").replaceAll(file, "FILE").trim();
}

function asWarning(warning: Fault): string[] {
  return faultLines(warning).map((line, i) => (i === 0 ? `warning: ${line}` : line));
}

/** `outcome` of a text, in a folder of its own that is gone afterwards. */
export async function outcomeOf(source: string, uid: number | null, php?: string): Promise<string> {
  return withTempDir(async (dir) => {
    const name = /^<configuration>|^\[global\]/.test(source) ? "case" : "case.toml";
    const file = await write(dir, name, source);
    return (await outcome(file, uid, php)).replaceAll(dir, "DIR");
  });
}

/** A legacy file out of lines `G value` (global_options) and `P value` (the one pool). */
export function legacyProbe(lines: string): string {
  return `<configuration>
<section name="global_options">
${linesOf(lines, "G")}
</section>
<workers><section name="pool">
<value name="name">p</value>
<value name="listen_address">9000</value>
${lines.includes('name="pm"') ? "" : '<value name="pm"><value name="max_children">2</value></value>'}
${linesOf(lines, "P")}
</section></workers>
</configuration>
`;
}

/** A php-fpm INI file out of lines `G entry` ([global]) and `P entry` (the one pool). */
export function iniProbe(lines: string): string {
  return `[global]
error_log = /log
process_control_timeout = 5s
${linesOf(lines, "G")}
[www]
listen = /www.sock
security.limit_extensions =
pm = static
pm.max_children = 2
${linesOf(lines, "P")}
`;
}

function linesOf(lines: string, letter: string): string {
  return lines
    .split("\n")
    .filter((line) => line.startsWith(`${letter} `))
    .map((line) => line.slice(2))
    .join("\n");
}

/** Problems as they are; of a sound outcome only the lines that `plain` has not. */
export function changedLines(said: string, plain: string): string {
  if (/^\d+ problem/.test(said)) return said;
  const known = new Set(withoutLines(plain));
  return withoutLines(said)
    .filter((line) => line !== "" && !known.has(line))
    .join("\n")
    .trim();
}

function withoutLines(outcome: string): string[] {
  return outcome.split("\n").map((line) => line.replace(/  # FILE:\d+$/, "  # given"));
}
