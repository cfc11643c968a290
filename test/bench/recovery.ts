// `bun run bench:recovery`: 50 times nothing (the noise of the machine, below which nothing else can
// be), 50 times kill -9 of the supervisor and, two seconds later, start, and 50 upgrades; each under 200
// requests a second. Prints what clients noticed. `--times N` for another count.

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
  let [sent, lost, slow] = [0, 0, 0];
  const worst: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const { loaded } = await loadWhile(stage, Math.ceil(turnMs / 1000), () =>
      turn(contender, stage),
    );
    sent += loaded.sent;
    lost += loaded.lost;
    worst.push(loaded.max ?? Number.POSITIVE_INFINITY);
    if (worst.at(-1)! >= WORST_MS) slow++;
  }
  const sorted = worst.toSorted((a, b) => a - b);
  console.log(
    `${name}, ${TIMES} times, ${RATE} requests a second: ${lost} of ${sent} lost; longest wait of a turn: median ${sorted[TIMES >> 1]!.toFixed(1)} ms, worst ${sorted.at(-1)!.toFixed(1)} ms; ${slow} turns at ${WORST_MS} ms or more`,
  );
  return lost === 0 && slow === 0;
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
