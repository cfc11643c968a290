// `bun run bench:command`: what the short commands cost, in CPU and in time, as a share of what a program that Bun
// compiled costs at the least: one that prints two letters. They take turns, so that all meet the same machine, and
// the lower quartile of all turns counts. A `reload --dry-run` has the supervisor ask the new config's php-cgi for its
// version, so the time of a `php-cgi -v` is added to what its own time is compared with. `--turns N` for more than
// 40; prints Markdown, and what was not reached ends it with 1.

import { parseArgs } from "node:util";
import { BINARY, testEnvironment } from "../helper/program.ts";
import { FCGIVISOR } from "./contender-fcgivisor.ts";
import { started } from "./contender.ts";
import { findPhpCgi, installMissing } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";
import { markdown } from "./table.ts";

const { values: options } = parseArgs({ options: { turns: { type: "string", default: "40" } } });
const TURNS = Number(options.turns);
/** Of the bare program, for every command. */
const SHARE_MOST = 1.6;

/** Milliseconds. */
interface Cost {
  readonly cpu: number;
  readonly time: number;
}

interface Row {
  readonly what: string;
  readonly cost: Cost;
  /** null = nothing is wanted of it. */
  readonly share: Cost | null;
}

installMissing();
const stage = await setStage();
try {
  const rows = await measure(stage);
  process.stdout.write(`${text(rows)}\n`);
  process.exitCode = rows.every(isReached) ? 0 : 1;
} finally {
  await endStages();
}

async function measure(stage: Stage): Promise<Row[]> {
  const bare = await bareProgram(stage);
  await started(FCGIVISOR, stage, 1);
  const config = stage.path("fcgivisor.toml");
  const own = [
    ["--version"],
    ["help"],
    ["status", "-c", config],
    ["reload", "--dry-run", "-c", config],
  ];
  const words = [[bare], [findPhpCgi(), "-v"], ...own.map((line) => [BINARY, ...line])];
  const turns = Array.from({ length: TURNS }, () => words.map((line) => costOf(stage, line)));
  const [hello, phpCgi, ...commands] = words.map((_, i) =>
    quartiles(turns.map((turn) => turn[i]!)),
  );
  const rows = own.map((line, i): Row => {
    const [word] = line;
    const cost = commands[i]!;
    const bareTime = hello!.time + (word === "reload" ? phpCgi!.time : 0);
    const share = { cpu: cost.cpu / hello!.cpu, time: cost.time / bareTime };
    return { what: `\`${line.join(" ").replace(` -c ${config}`, "")}\``, cost, share };
  });
  return [
    { what: "a bare program of Bun", cost: hello!, share: null },
    { what: "`php-cgi -v`", cost: phpCgi!, share: null },
    ...rows,
  ];
}

async function bareProgram(stage: Stage): Promise<string> {
  const outfile = stage.path("hello");
  await Bun.build({
    entrypoints: [stage.write("hello.ts", 'console.log("hi");\n')],
    compile: { outfile },
    format: "esm",
    minify: true,
    bytecode: true,
  });
  return outfile;
}

function costOf({ dir }: Stage, line: readonly string[]): Cost {
  const began = performance.now();
  const { exitCode, resourceUsage, stderr } = Bun.spawnSync([...line], {
    cwd: dir,
    env: testEnvironment(dir),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const time = performance.now() - began;
  if (exitCode !== 0) throw new Error(`${line.join(" ")}: exit ${exitCode}: ${stderr.toString()}`);
  return { cpu: Number(resourceUsage.cpuTime.total) / 1000, time };
}

/** What else the machine has to do only ever adds to it. */
function quartiles(costs: readonly Cost[]): Cost {
  return {
    cpu: quartile(costs.map(({ cpu }) => cpu)),
    time: quartile(costs.map(({ time }) => time)),
  };
}

/** What a quarter of the values stay below. */
function quartile(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 4)]!;
}

function isReached({ share }: Row): boolean {
  return share === null || (share.cpu <= SHARE_MOST && share.time <= SHARE_MOST);
}

function text(rows: readonly Row[]): string {
  const head = ["what", "CPU ms", "time ms", "CPU, share", "time, share", `at most ${SHARE_MOST}`];
  const cells = rows.map((row) => [
    row.what,
    row.cost.cpu.toFixed(1),
    row.cost.time.toFixed(1),
    row.share?.cpu.toFixed(2) ?? "-",
    row.share?.time.toFixed(2) ?? "-",
    row.share === null ? "-" : isReached(row) ? "yes" : "**no**",
  ]);
  return markdown(head, cells, (column) => column > 0 && column < head.length - 1);
}
