// What the commands that are to feel instant load before they answer: of the modules that cost a share of a
// bare program's start each (node:fs a quarter of it), none. Read from the bundle, as it is built.

import { expect, test } from "bun:test";
import { basename, join } from "node:path";

const DEAR = /^(node:)?(fs|util|child_process|net|crypto|tty|stream)$/;
/** What each of them says of itself, which tells its chunk. */
const COMMANDS = {
  status: "Shows pools, queues and the longest requests",
  reload: "Takes on the new config and php.ini",
  quit: "Stops gracefully",
};

const { outputs } = await Bun.build({
  entrypoints: [join(import.meta.dir, "../../src/main.ts")],
  format: "esm",
  target: "bun",
  splitting: true,
});
const chunks = new Map<string, string>();
for (const output of outputs) chunks.set(basename(output.path), await output.text());

/** The modules from outside that a chunk imports, and those that its own chunks do; what is loaded later does not count. */
function loadedWith(chunk: string, seen = new Set<string>()): string[] {
  if (seen.has(chunk)) return [];
  seen.add(chunk);
  const imports = chunks.get(chunk)!.matchAll(/^(?:import|\} from|import .* from) ?"([^"]+)";$/gm);
  const names = [...imports].map((match) => match[1]!);
  return names.flatMap((name) =>
    name.startsWith("./") ? loadedWith(name.slice(2), seen) : [name],
  );
}

function chunkThatSays(text: string): string {
  const found = [...chunks].filter(([, code]) => code.includes(text));
  expect(found.length).toBe(1);
  return found[0]![0];
}

test("every command starts with little", () => {
  expect(loadedWith("main.js")).toEqual(["bun:ffi"]);
});

test.each(Object.entries(COMMANDS))("%s loads nothing dear", (_, says) => {
  const loaded = loadedWith(chunkThatSays(says));
  expect(loaded).toContain("bun:ffi");
  expect(loaded.filter((name) => DEAR.test(name))).toEqual([]);
});

test("what is dear is seen where it is loaded", () => {
  const everything = [...chunks.keys()].flatMap((chunk) => loadedWith(chunk));
  expect(new Set(everything.filter((name) => DEAR.test(name)))).toContain("fs");
});
