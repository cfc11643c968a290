// Everything at once, for a bounded time: workers, leaders and the supervisor are killed, stopped and
// continued, the disk is full, configs are reloaded, the program is upgraded, the state file goes bad
// or away. Two php-cgi pools are under constant load meanwhile. What may be lost is what a killed
// worker had in flight, and nothing else.
//
// CHAOS_SEED=N replays a run's decisions, CHAOS_ROUNDS=N makes it longer or shorter.

import { expect } from "bun:test";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { load } from "../helper/load.ts";
import { phpPool, type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { alive, leadersAt, workersAt } from "../helper/processes.ts";
import { BINARY, textOf, type Outcome } from "../helper/program.ts";
import { behaviour, type Scene, WORKER_USER } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

/** In each of them every action is done once, in an order of its own. */
const ROUNDS = Number(process.env["CHAOS_ROUNDS"] ?? 5);
/** A machine that decides over a change should decide the same twice; people get a new one each time. */
const FIXED_SEED = 646539984;
const ANY_SEED = process.env["CI"] === "true" ? FIXED_SEED : Math.floor(Math.random() * 1e9);
const SEED = Number(process.env["CHAOS_SEED"] ?? ANY_SEED);
/** Requests a second to each pool, as far as the machine can serve so many. */
const RATE = 40;
const MOST_IN_FLIGHT = 10;
/** Actions follow each other at any distance up to this. */
const PAUSE_MS = 250;

/** mulberry32: the same seed gives the same decisions. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

/** A pool under load. */
interface Target {
  readonly spot: Spot;
  readonly kills: Kill[];
  readonly losses: Loss[];
  answered: number;
}

/**
 * One of its workers was killed. A process that waits in accept(2) takes a connection that comes between
 * the signal and its death with it, so what counts is the time until it was gone.
 */
interface Kill {
  readonly at: number;
  readonly gone: number;
}

/** A lost request: in flight from `sent` to `lost`. */
interface Loss {
  readonly sent: number;
  readonly lost: number;
  readonly why: string;
}

interface Run {
  readonly scene: Scene;
  readonly roll: (sides: number) => number;
  readonly config: string;
  readonly stateDir: string;
  readonly group: Target;
  readonly single: Target;
  readonly script: string;
  readonly said: string[];
}

type Action = (run: Run) => Promise<void>;

const ACTIONS: Readonly<Record<string, Action>> = {
  async killWorker(run) {
    const target = one(run, targets(run));
    const kill = () => {
      const at = performance.now();
      const pid = signalOne(run, workersAt(target.spot.where), "SIGKILL");
      return pid === null ? null : { pid, at };
    };
    const { pid, at } = await eventually(kill, { what: "a worker is killed" });
    await eventually(() => !alive(pid), { every: 1, what: "the killed worker is gone" });
    target.kills.push({ at, gone: performance.now() });
  },
  async killLeader(run) {
    const leaders = () => leadersAt(run.group.spot.where);
    await eventually(() => signalOne(run, leaders(), "SIGKILL"), { what: "a leader is killed" });
  },
  async killSupervisor(run) {
    const pid = await supervisorPid(run);
    process.kill(pid, "SIGKILL");
    await eventually(() => !alive(pid), { what: "the killed supervisor is gone" });
    await start(run);
  },
  async pauseWorker(run) {
    const { spot } = one(run, targets(run));
    const stop = () => signalOne(run, workersAt(spot.where), "SIGSTOP");
    const pid = await eventually(stop, { what: "a worker is stopped" });
    await stillServes(run);
    // It may have been replaced meanwhile.
    signalOne(run, [pid], "SIGCONT");
  },
  async pauseSupervisor(run) {
    const pid = await supervisorPid(run);
    process.kill(pid, "SIGSTOP");
    await stillServes(run);
    process.kill(pid, "SIGCONT");
  },
  async reload(run) {
    await must(run, ["reload"]);
  },
  async reloadOne(run) {
    await must(run, ["reload", "single"]);
  },
  async upgrade(run) {
    await must(run, ["upgrade", run.scene.path(`fcgivisor-${run.roll(2)}`)]);
  },
  async logrotate(run) {
    await must(run, ["logrotate"]);
  },
  async corruptState(run) {
    writeFileSync(`${run.stateDir}/state.json`, '{"format": 1, "pools": [{"na');
  },
  async deleteState(run) {
    rmSync(`${run.stateDir}/state.json`, { force: true });
  },
  async fillDisk(run) {
    const ballast = `${run.stateDir}/ballast`;
    const dd = await run.scene.command(["dd", "if=/dev/zero", `of=${ballast}`, "bs=4k"]);
    expect(dd.stderr).toContain("No space left");
    await must(run, ["reload"]);
    rmSync(ballast);
  },
};

behaviour(
  `nothing is lost but what a killed worker had in flight (${ROUNDS} rounds, CHAOS_SEED=${SEED})`,
  { needs: ["php-cgi", "root", "mounting"] },
  async (scene) => {
    const run = await setUp(scene);
    await start(run);
    const over = Promise.withResolvers<void>();
    const loads = targets(run).map((target) =>
      load({
        rate: RATE,
        most: MOST_IN_FLIGHT,
        until: over.promise,
        send: () => request(run, target),
      }),
    );
    try {
      await stillServes(run);
      await wreakHavoc(run).finally(over.resolve);
      await Promise.all(loads);
      for (const target of targets(run)) expect(unexplained(target)).toEqual([]);
      await must(run, ["quit"]);
    } catch (error) {
      const log = textOf(`${run.stateDir}/log`).slice(-6000);
      console.error(`${run.said.join("\n")}\n--- log:\n${log}`);
      throw error;
    }
  },
);

/** Each kill explains one loss: of a request that was in flight then, to the same pool. */
function unexplained({ kills, losses }: Target): Loss[] {
  const left = losses.toSorted((a, b) => a.lost - b.lost);
  for (const kill of kills) {
    const at = left.findIndex(({ sent, lost }) => sent <= kill.gone && kill.at <= lost);
    if (at >= 0) left.splice(at, 1);
  }
  return left;
}

async function setUp(scene: Scene): Promise<Run> {
  const stateDir = scene.path("small");
  await scene.command(["mkdir", stateDir]);
  await scene.command(["mount", "-t", "tmpfs", "-o", "size=512k,mode=0755", "tmpfs", stateDir]);
  scene.atEnd(async () => {
    await scene.command(["umount", "-l", stateDir]);
  });
  for (const i of [0, 1]) copyFileSync(BINARY, scene.path(`fcgivisor-${i}`));
  const group = targetAt(await tcpSpot(scene));
  const single = targetAt(unixSpot(scene));
  const config = scene.config({
    supervisor: { state_dir: stateDir },
    log: { file: `${stateDir}/log`, level: "notice" },
    pools: {
      group: { ...phpPool(group.spot, { workers: 4, ...WORKER_USER }) },
      single: { ...phpPool(single.spot, { workers: 3, group_size: 1, ...WORKER_USER }) },
    },
  });
  const script = scene.fixture("php/pid.php");
  return { scene, roll: dice(SEED), config, stateDir, group, single, script, said: [] };
}

function targetAt(spot: Spot): Target {
  return { spot, kills: [], losses: [], answered: 0 };
}

function targets({ group, single }: Run): [Target, Target] {
  return [group, single];
}

async function wreakHavoc(run: Run): Promise<void> {
  const rounds = Array.from({ length: ROUNDS }, () => shuffled(run, Object.keys(ACTIONS)));
  for (const name of rounds.flat()) {
    run.said.push(`${Math.round(performance.now())} ${name}`);
    await ACTIONS[name]!(run);
    await stillServes(run);
    await Bun.sleep(run.roll(PAUSE_MS));
  }
}

/** Whatever was done: from here on both pools answer requests. */
async function stillServes(run: Run): Promise<void> {
  for (const target of targets(run)) {
    const wanted = target.answered + 3;
    await eventually(() => target.answered >= wanted, {
      what: `${target.spot.listen} still serves`,
    });
  }
}

async function request(run: Run, target: Target): Promise<void> {
  const sent = performance.now();
  try {
    const response = await fcgi(target.spot.where, { script: run.script });
    if (response.status !== 200) throw new Lost("other", `status ${response.status}`);
    target.answered++;
  } catch (error) {
    target.losses.push({ sent, lost: performance.now(), why: `${target.spot.listen}: ${error}` });
    throw error;
  }
}

/** As an operator would: start, and where the state file was lost, with --takeover. */
async function start(run: Run): Promise<void> {
  const plain = await run.scene.fcgivisor(["start", "-c", run.config]);
  if (plain.code === 0) return;
  expect(plain.stderr).toContain("--takeover");
  const takeover = await run.scene.fcgivisor(["start", "--takeover", "-c", run.config]);
  expect(takeover, takeover.stderr).toMatchObject({ code: 0 });
}

async function must(run: Run, words: string[]): Promise<Outcome> {
  const outcome = await run.scene.fcgivisor([...words, "-c", run.config]);
  run.said.push(`  ${words.join(" ")}: exit ${outcome.code} ${outcome.stderr}`);
  expect(outcome).toMatchObject({ code: 0 });
  return outcome;
}

async function supervisorPid(run: Run): Promise<number> {
  const { stdout } = await must(run, ["status", "--json"]);
  return (JSON.parse(stdout) as { pid: number }).pid;
}

function one<T>({ roll }: Run, choice: readonly T[]): T {
  return choice[roll(choice.length)]!;
}

function shuffled<T>(run: Run, list: readonly T[]): T[] {
  const left = [...list];
  return list.map(() => left.splice(run.roll(left.length), 1)[0]!);
}

/** Sends the signal to one of them, and tells to whom; null when there is none, or it was quicker. */
function signalOne(run: Run, pids: readonly number[], signal: NodeJS.Signals): number | null {
  if (pids.length === 0) return null;
  const pid = one(run, pids);
  try {
    process.kill(pid, signal);
    return pid;
  } catch (error) {
    if ((error as { code?: string }).code === "ESRCH") return null;
    throw error;
  }
}
