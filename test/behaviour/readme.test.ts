// What the README and the manual say about commands, topics and settings must be so: a command line that
// the program does not know is worse than none.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PAGES } from "../../src/cli/help/pages.ts";
import { SECTIONS } from "../../src/config/settings/settings.ts";
import { behaviour, type Scene } from "../helper/scene.ts";

const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
const pages = Object.entries(PAGES).map(([name, text]) => ({ name, text }));
const TEXTS = [{ name: "README.md", text: readme }, ...pages];
/** Of the README, and of the tour that is longer. */
const TOURS = [readme, PAGES.start];

/** Every `fcgivisor …` of a text: in code blocks, and in the running text between backticks. */
function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^(?: {4,}|\$ )(fcgivisor .+)$/gm)].map((match) => match[1]!);
  const inline = [...text.matchAll(/`(fcgivisor [^`]+)`/g)].map((match) =>
    match[1]!.replace(/\s+/g, " "),
  );
  return [...blocks, ...inline].map(withoutRemark);
}

/** What a line has behind the command: an explanation, a redirection, the shell's &. */
function withoutRemark(line: string): string {
  return line.replace(/\s{2,}(?!-).*| instead of .*| *[>&|].*/, "").trim();
}

/** The words up to `--`, without values in quotes. */
function wordsOf(line: string): string[] {
  const words = line
    .replaceAll(/'[^']*'/g, "VALUE")
    .split(/\s+/)
    .slice(1);
  const end = words.indexOf("--");
  return end < 0 ? words : words.slice(0, end);
}

async function usage(scene: Scene, command: string): Promise<string> {
  const shown = await scene.fcgivisor([command, "--help"]);
  expect({ command, code: shown.code }).toEqual({ command, code: 0 });
  return shown.stdout;
}

/** What is wrong with a line, for a person; empty when the program knows it. */
async function complaints(scene: Scene, line: string): Promise<string[]> {
  const [command = "", ...words] = wordsOf(line);
  if (!/^[a-z]+$/.test(command)) return []; // COMMAND, or an option of the program itself
  const help = await usage(scene, command);
  const options = words
    .map((word) => word.split("=")[0]!)
    .filter((word) => /^--?[a-z]/i.test(word));
  const unknown = options.filter((option) => !new RegExp(`(^|[\\s,])${option}\\b`, "m").test(help));
  const topic = command === "help" ? words[0] : undefined;
  const topicless =
    topic !== undefined &&
    /^[a-z]+$/.test(topic) &&
    (await scene.fcgivisor(["help", topic])).code !== 0;
  const kind = command === "service" ? words[0] : undefined;
  const kindless = kind !== undefined && /^[a-z-]+$/.test(kind) && !help.includes(kind);
  return [
    ...unknown.map((option) => `${line}: no option ${option}`),
    ...(topicless ? [`${line}: no such topic`] : []),
    ...(kindless ? [`${line}: no such kind`] : []),
  ];
}

for (const { name, text } of TEXTS) {
  behaviour(`${name}: every command line is known to the program`, {}, async (scene) => {
    const lines = [...new Set(commandLines(text))];
    const wrong: string[] = [];
    for (const line of lines) wrong.push(...(await complaints(scene, line)));
    expect(wrong).toEqual([]);
  });
}

test("the command lines are found", () => {
  const found = TOURS.flatMap(commandLines);
  expect(found.length).toBeGreaterThan(30);
  expect(found).toContain("fcgivisor reload --no-wait");
  expect(found).toContain(
    "fcgivisor bench www /index.php --rate 200 --duration 10s --reload-every 1s",
  );
  expect(found).toContain("fcgivisor service systemd");
});

behaviour("a line that the program does not know is noticed", {}, async (scene) => {
  expect(await complaints(scene, "fcgivisor reload --nowait")).toHaveLength(1);
  expect(await complaints(scene, "fcgivisor help nonsense")).toHaveLength(1);
  expect(await complaints(scene, "fcgivisor service runit")).toHaveLength(1);
  expect(await complaints(scene, "fcgivisor reload -c FILE www")).toEqual([]);
});

behaviour("every command for people is in the manual's table", {}, async (scene) => {
  const listed = (await scene.fcgivisor(["help"])).stdout;
  const commands = listed.slice(0, listed.indexOf("Topics")).matchAll(/^ {2}([a-z]+) {2,}/gm);
  const names = [...commands].map((match) => match[1]!);
  expect(names.length).toBeGreaterThan(10);
  const inTable = (name: string) => new RegExp(`^\\|.*\`${name}\\b`, "m").test(PAGES.control);
  expect(names.filter((name) => !inTable(name))).toEqual([]);
});

test("the README is read to its end, and what it links to is there", () => {
  expect(readme.split("\n").length).toBeLessThanOrEqual(200);
  const links = [...readme.matchAll(/\]\(([^):#]+)\)/g)].map((match) => match[1]!);
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter((path) => !existsSync(join(import.meta.dir, "../..", path)))).toEqual([]);
  const unlinked = Object.keys(PAGES).filter((page) => !links.includes(`src/help/${page}.md`));
  expect(unlinked).toEqual([]);
});

const NAMES = new Set(Object.values(SECTIONS).flatMap((rows) => Object.keys(rows)));
/** Tables, of which a setting is a part, and what stands for itself. */
const TABLES = new Set(
  [...NAMES].flatMap((name) => (name.includes(".") ? name.split(".")[0]! : [])),
);

for (const { name, text } of TEXTS) {
  test(`${name}: every setting named with a value exists`, () => {
    const named = [...text.matchAll(/`(?:\[[a-z]+\] )?([a-z_.]+) = [^`]*`/g)].map((m) => m[1]!);
    const ours = named.filter((setting) => !setting.startsWith("pm"));
    expect(ours.filter((setting) => !NAMES.has(setting) && !TABLES.has(setting))).toEqual([]);
  });
}

behaviour("the README's configs have no setting that is unknown", {}, async (scene) => {
  const configs = TOURS.flatMap((text) =>
    [...text.matchAll(/^```toml\n([^]*?)^```$/gm)].map((match) => match[1]!),
  );
  expect(configs.length).toBeGreaterThan(1);
  for (const [i, config] of configs.entries()) {
    const said = async (text: string) =>
      (await scene.fcgivisor(["check", "-c", scene.write(`readme-${i}.toml`, text)])).stderr;
    expect(await said(config)).not.toMatch(/unknown|unexpected|expected/);
    expect(await said(`${config}\nno_such_setting = 1\n`)).toMatch(/unknown/);
  }
});
