// `bun run bench:recovery`: 50 times nothing, 50 times kill -9 of the supervisor and, two seconds later,
// start, and 50 upgrades; each under 200 requests a second. Prints what clients noticed. A virtual
// machine whose host takes its CPU away (steal in proc(5), stat) makes clients wait whatever it runs, so
// the longest wait is counted in turns in which it had its CPU, and a turn that was disturbed is played
// again; a lost request counts always. `--times N` for another count.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { alive } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { FCGIVISOR } from "./contender-fcgivisor.ts";
import { started, type Contender } from "./contender.ts";
import { loadWhile, RATE } from "./loaded.ts";
import { installMissing } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";

const { values: options } = parseArgs({ options: { times: { type: "string", default: "50" } } });
const TIMES = Number(options.times);
const DEAD_MS = 2000;
/** What one turn may take; the load goes on for so long at most. */
const TURN_MS = { nothing: 3000, kill: 4500, upgrade: 3000 } as const;
const WORST_MS = 50;
/** Of all CPU time; with more, the turn says more of the host than of what it runs. */
const STOLEN_MOST = 0.05;
/** How many turns are played at most, to have the wanted number undisturbed. */
const TRIES = 4;

interface Story {
  readonly name: string;
  readonly turnMs: number;
  readonly turn: (contender: Contender, stage: Stage) => Promise<void>;
}

const STORIES: readonly Story[] = [
  { name: "nothing", turnMs: TURN_MS.nothing, turn: async () => {} },
  { name: "kill -9, 2 s, start", turnMs: TURN_MS.kill, turn: killAndStart },
  { name: "upgrade", turnMs: TURN_MS.upgrade, turn: upgrade },
];

installMissing();
let missed = false;
try {
  for (const story of STORIES) missed = !(await play(story)) || missed;
} finally {
  await endStages();
}
process.exitCode = missed ? 1 : 0;

/** Whether nothing was lost and nobody waited too long. The load is cut into turns, so that each has its own figures. */
async function play({ name, turnMs, turn }: Story): Promise<boolean> {
  const stage = await setStage();
  const contender = await started(FCGIVISOR, stage);
  let [sent, lost, turns] = [0, 0, 0];
  const [quiet, disturbed]: [number[], number[]] = [[], []];
  for (; quiet.length < TIMES && turns < TRIES * TIMES; turns++) {
    const before = cpuTimes();
    const { loaded } = await loadWhile(stage, Math.ceil(turnMs / 1000), () =>
      turn(contender, stage),
    );
    sent += loaded.sent;
    lost += loaded.lost;
    const worst = loaded.max ?? Number.POSITIVE_INFINITY;
    (stolenShare(before, cpuTimes()) > STOLEN_MOST ? disturbed : quiet).push(worst);
  }
  const slow = quiet.filter((ms) => ms >= WORST_MS).length;
  console.log(
    `${name}, ${turns} times, ${RATE} requests a second: ${lost} of ${sent} lost; longest wait of a turn: ${spread(quiet)}; ${slow} of ${quiet.length} turns at ${WORST_MS} ms or more (and ${disturbed.length} turns in which the host took more than ${STOLEN_MOST * 100} % of the CPU: ${spread(disturbed)})`,
  );
  return lost === 0 && slow === 0 && quiet.length === TIMES;
}

function spread(waits: readonly number[]): string {
  if (waits.length === 0) return "none";
  const sorted = waits.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1]!;
  return `median ${median.toFixed(1)} ms, worst ${sorted.at(-1)!.toFixed(1)} ms`;
}

interface CpuTimes {
  readonly all: number;
  readonly stolen: number;
}

/** In clock ticks, of all cores together. */
function cpuTimes(): CpuTimes {
  const [line] = readFileSync("/proc/stat", "utf8").split("\n");
  const ticks = line!.trim().split(/\s+/).slice(1, 9).map(Number);
  return { all: ticks.reduce((sum, tick) => sum + tick, 0), stolen: ticks[7]! };
}

function stolenShare(before: CpuTimes, after: CpuTimes): number {
  return (after.stolen - before.stolen) / (after.all - before.all);
}

async function killAndStart(contender: Contender): Promise<void> {
  const pid = contender.managerPid();
  process.kill(pid, "SIGKILL");
  await eventually(() => !alive(pid), { what: `process ${pid} is gone` });
  await Bun.sleep(DEAD_MS);
  const { code, words } = await contender.start();
  if (code !== 0) throw new Error(`start: ${words}`);
}

async function upgrade(_: Contender, stage: Stage): Promise<void> {
  const words = [BINARY, "upgrade", BINARY, "-c", stage.path("fcgivisor.toml")];
  const { code, stderr } = await stage.command(words);
  if (code !== 0) throw new Error(`upgrade: ${stderr}`);
}
