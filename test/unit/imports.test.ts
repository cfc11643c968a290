// Keeps the house's plan true by reading the source: imports point down, and each package or power of
// the system has one door. Type-only imports count as well: a type is knowledge too.

import { expect, test } from "bun:test";
import { Glob } from "bun";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** The rooms from top to bottom. Files straight in src count as the room that their name says. */
const ROOMS = [
  "release",
  "testing",
  "main",
  "cli",
  "daemon",
  "admin",
  "supervisor",
  "pool",
  "worker",
  "runtime",
  "observe",
  "socket",
  "config",
  "fcgi",
  "log",
  "sys",
  "event",
  "fault",
];

/** Packages, and the only place that may import each. */
const PACKAGE_DOORS: Readonly<Record<string, RegExp>> = {
  "@rgrove/parse-xml": /^src\/config\/legacy\/xml\.ts$/,
  "bun:ffi": /^src\/sys\//,
  citty: /^src\/cli\/command\.ts$/,
  consola: /^src\/log\/logger\.ts$/,
  "smol-toml": /^src\/config\/toml\/toml\.ts$/,
};

/** Powers that need no import, and the only place that may use each. */
const POWER_DOORS: readonly {
  readonly power: string;
  readonly use: RegExp;
  readonly door: RegExp;
}[] = [
  {
    power: "Bun.spawn",
    use: /\bBun\.spawn(Sync)?\b|["']node:child_process["']/,
    door: /^src\/(sys|release|testing)\//,
  },
  { power: "process.kill", use: /\bprocess\.kill\b/, door: /^src\/sys\// },
  { power: "/proc", use: /["'`]\/proc\b/, door: /^src\/sys\// },
  {
    power: "a server",
    use: /\bBun\.(serve|listen)\b|\bcreateServer\b/,
    door: /^src\/admin\/(server|metrics-server|http)\.ts$/,
  },
  {
    power: "the clock",
    use: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|(?<!connection\.)\bset(Timeout|Interval)\(|\bBun\.sleep|["']node:timers/,
    door: /^src\/sys\/clock\.ts$/,
  },
  {
    power: "stdout and stderr",
    use: /\bprocess\.(stdout|stderr)\.write\b|\bconsole\.\w+\(/,
    // `run` tells `start` that it is ready, and its own stderr, without waiting for a reader.
    door: /^src\/(cli\/run\/run|worker\/shim|release\/release)\.ts$/,
  },
  { power: "process.exit", use: /\bprocess\.exit\(/, door: /^src\/main\.ts$/ },
];

const RUN_TIME_PACKAGES = ["@rgrove/parse-xml", "citty", "consola", "smol-toml"];

interface Source {
  readonly file: string;
  /** The text without comments. */
  readonly code: string;
  readonly imports: readonly string[];
}

const SOURCES = [...new Glob("src/**/*.ts").scanSync(ROOT)].toSorted().map(read);

function read(file: string): Source {
  const code = withoutComments(readFileSync(join(ROOT, file), "utf8"));
  return { file, code, imports: importsOf(code) };
}

/** Drops comments that have a line's beginning or a space before them: good enough for formatted code. */
function withoutComments(text: string): string {
  return text.replaceAll(/(^|\s)\/\*[\s\S]*?\*\//g, "$1").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

/** Everything a file imports: static, type-only, for effect, re-exported, dynamic. */
function importsOf(code: string): string[] {
  const statics = [
    ...code.matchAll(/^import\s+(?:[\w\s*{},$]+?\s+from\s+)?["']([^"']+)["']/gm),
    ...code.matchAll(/^export\s+(?:type\s+)?(?:\*|\{)[\w\s*{},$]*?\s+from\s+["']([^"']+)["']/gm),
  ];
  const dynamics = code.matchAll(/\b(?:import|require)\s*\(\s*["'`]([^"'`]+)["'`]/g);
  return [...statics, ...dynamics].map((match) => match[1]!);
}

function roomOf(file: string): string {
  return file.split("/")[1]!.replace(/\.ts$/, "");
}

/** The file that a relative import means, from the root of the repository. */
function target(from: string, specifier: string): string {
  return join(from, "..", specifier);
}

function packageName(specifier: string): string {
  if (specifier.includes(":")) return specifier;
  const [first, second] = specifier.split("/");
  return specifier.startsWith("@") ? `${first}/${second}` : first!;
}

test("the source was found, with imports in it", () => {
  expect(SOURCES.length).toBeGreaterThan(10);
  expect(SOURCES.flatMap((source) => source.imports).length).toBeGreaterThan(10);
});

test("every file stands in a room of the plan", () => {
  const outside = SOURCES.filter((source) => !ROOMS.includes(roomOf(source.file)));
  expect(outside.map((source) => source.file)).toEqual([]);
});

test("imports point down the list of rooms, never up", () => {
  const upward = SOURCES.flatMap(({ file, imports }) =>
    imports
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => target(file, specifier))
      .filter((to) => to.startsWith("src/"))
      .filter((to) => ROOMS.includes(roomOf(to)))
      .filter((to) => ROOMS.indexOf(roomOf(to)) < ROOMS.indexOf(roomOf(file)))
      .map((to) => `${file} imports ${to}`),
  );
  expect(upward).toEqual([]);
});

test("a room of src/config that reads a format is known to the files above it only", () => {
  const formats = ["toml", "ini", "legacy"].map((name) => `src/config/${name}/`);
  const wrong = SOURCES.filter(({ file }) => /^src\/config\/.+\//.test(file)).flatMap(
    ({ file, imports }) =>
      imports
        .map((specifier) => target(file, specifier))
        .filter((to) => formats.some((room) => to.startsWith(room) && !file.startsWith(room)))
        .map((to) => `${file} imports ${to}`),
  );
  expect(wrong).toEqual([]);
});

test("no import leads back to where it came from", () => {
  const imports = new Map(
    SOURCES.map((source) => [source.file, source.imports.map((to) => target(source.file, to))]),
  );
  expect(circlesOf(imports)).toEqual([]);
});

test("a circle is found, and told from its first file on", () => {
  const imports = new Map([
    ["a", ["b", "c"]],
    ["b", ["d"]],
    ["c", ["d"]],
    ["d", ["b"]],
  ]);
  expect(circlesOf(imports)).toEqual(["b > d > b"]);
});

/** Walks down from every file; a way that comes to a file which it has passed is a circle. */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  function walk(file: string, way: readonly string[]): void {
    if (way.includes(file)) {
      circles.push([...way.slice(way.indexOf(file)), file].join(" > "));
      return;
    }
    if (done.has(file)) return;
    for (const next of imports.get(file) ?? []) walk(next, [...way, file]);
    done.add(file);
  }
  for (const file of imports.keys()) walk(file, []);
  return circles;
}

test("imports stay in src and name their file's extension", () => {
  const odd = SOURCES.flatMap(({ file, imports }) =>
    imports
      .filter((specifier) => specifier.startsWith("."))
      .filter(
        (specifier) =>
          !/\.(ts|md|yaml|html|json|bash|zsh|fish|sh|cjs)$/.test(specifier) ||
          !leadsHome(file, specifier),
      )
      .map((specifier) => `${file} imports ${specifier}`),
  );
  expect(odd).toEqual([]);
});

function leadsHome(file: string, specifier: string): boolean {
  const to = target(file, specifier);
  return to.startsWith("src/") || to === "package.json" || to === "CHANGELOG.md";
}

test.each(Object.entries(PACKAGE_DOORS))("%s is imported behind its one door", (name, door) => {
  const others = SOURCES.filter(({ file }) => !door.test(file))
    .filter(({ imports }) => imports.some((specifier) => packageName(specifier) === name))
    .map((source) => source.file);
  expect(others).toEqual([]);
});

test.each(POWER_DOORS)("$power is used behind its one door", ({ use, door }) => {
  const others = SOURCES.filter(({ file, code }) => !door.test(file) && use.test(code));
  expect(others.map((source) => source.file)).toEqual([]);
});

test("no package is imported but those that package.json lists", () => {
  const foreign = SOURCES.flatMap(({ file, imports }) =>
    imports
      .filter((specifier) => !specifier.startsWith("."))
      .map(packageName)
      .filter((name) => name !== "bun" && !name.startsWith("bun:") && !name.startsWith("node:"))
      .filter((name) => !RUN_TIME_PACKAGES.includes(name))
      .map((name) => `${file} imports ${name}`),
  );
  expect(foreign).toEqual([]);
  const listed = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  expect(Object.keys(listed.dependencies).toSorted()).toEqual(RUN_TIME_PACKAGES);
});

test("the reader of imports sees every form of them", () => {
  const code = [
    'import { a } from "./a.ts";',
    'import type {\n  B,\n  C,\n} from "./b.ts";',
    'import "./c.ts";',
    'export * from "./d.ts";',
    'export { e } from "./e.ts";',
    'const f = () => import("./f.ts");',
    '// import { g } from "./g.ts";',
    "const h = 'import';",
  ].join("\n");
  const seen = importsOf(withoutComments(code));
  expect(seen).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts"]);
});
