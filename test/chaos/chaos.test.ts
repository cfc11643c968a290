// Everything at once, for a bounded time: workers, leaders and the supervisor are killed, stopped and
// continued, the disk is full, configs are reloaded, the program is upgraded, the state file goes bad
// or away. Two php-cgi pools are under constant load meanwhile. What may be lost is what a killed
// worker had in its hands, and nothing else.
//
// CHAOS_SEED=N replays a run's decisions, CHAOS_SECONDS=N makes it longer or shorter.

import { expect } from "bun:test";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { load } from "../helper/load.ts";
import { phpPool, type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { alive, leadersAt, workersAt } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene, WORKER_USER } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 60);
/** A machine that decides over a change should decide the same twice; people get a new one each time. */
const FIXED_SEED = 646539984;
const ANY_SEED = process.env["CI"] === "true" ? FIXED_SEED : Math.floor(Math.random() * 1e9);
const SEED = Number(process.env["CHAOS_SEED"] ?? ANY_SEED);
const RATE = 40;
const PAUSE_MS = 250;
/** A request that a killed worker had in hand is seen to be lost within this. */
const AFTERMATH_MS = 1000;

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

interface World {
  readonly scene: Scene;
  readonly roll: (sides: number) => number;
  readonly config: string;
  readonly stateDir: string;
  readonly spots: readonly Spot[];
  readonly script: string;
  /** Moments at which a worker was killed. */
  readonly kills: number[];
  readonly said: string[];
}

type Deed = (world: World) => Promise<void>;

const DEEDS: Readonly<Record<string, Deed>> = {
  async killWorker(world) {
    const pid = pick(world, workersAt(spot(world).where));
    if (pid === null) return;
    world.kills.push(performance.now());
    send(pid, "SIGKILL");
  },
  async killLeader(world) {
    const pid = pick(world, leadersAt(world.spots[0]!.where));
    if (pid !== null) send(pid, "SIGKILL");
  },
  async killSupervisor(world) {
    const pid = await supervisorPid(world);
    if (pid === null) return;
    send(pid, "SIGKILL");
    await eventually(() => !alive(pid), { what: "the killed supervisor is gone" });
    await start(world);
  },
  async pauseWorker(world) {
    const pid = pick(world, workersAt(spot(world).where));
    if (pid !== null) await pause(pid);
  },
  async pauseSupervisor(world) {
    const pid = await supervisorPid(world);
    if (pid !== null) await pause(pid);
  },
  async reload(world) {
    await must(world, ["reload"]);
  },
  async reloadOne(world) {
    await must(world, ["reload", "single"]);
  },
  async upgrade(world) {
    await must(world, ["upgrade", world.scene.path(`fcgivisor-${world.roll(2)}`)]);
  },
  async logrotate(world) {
    await must(world, ["logrotate"]);
  },
  async corruptState(world) {
    writeFileSync(`${world.stateDir}/state.json`, '{"format": 1, "pools": [{"na');
  },
  async deleteState(world) {
    rmSync(`${world.stateDir}/state.json`, { force: true });
  },
  async fillDisk(world) {
    const ballast = `${world.stateDir}/ballast`;
    await world.scene.command(["dd", "if=/dev/zero", `of=${ballast}`, "bs=4k"]);
    await must(world, ["reload"]);
    rmSync(ballast, { force: true });
  },
};

behaviour(
  `nothing is lost but what a killed worker had in hand (${SECONDS} s, CHAOS_SEED=${SEED})`,
  { needs: ["php-cgi", "root", "mounting"] },
  async (scene) => {
    const world = await setUp(scene);
    await start(world);
    let over = () => {};
    const until = new Promise<void>((resolve) => (over = resolve));
    const losses: { readonly at: number; readonly what: string }[] = [];
    const loads = world.spots.map((where) =>
      load({ rate: RATE, until, send: () => request(world, where, losses) }),
    );
    try {
      await wreakHavoc(world);
    } catch (error) {
      console.error(
        `${world.said.join("\n")}\n--- log:\n${textOf(`${world.stateDir}/log`).slice(-6000)}`,
      );
      throw error;
    } finally {
      over();
    }
    const reports = await Promise.all(loads);
    const sent = reports.reduce((sum, report) => sum + report.sent, 0);
    const unexplained = losses.filter(
      ({ at }) => !world.kills.some((kill) => at >= kill && at - kill < AFTERMATH_MS),
    );
    const story = world.said.join("\n");
    expect({ unexplained, story: unexplained.length === 0 ? "" : story }).toEqual({
      unexplained: [],
      story: "",
    });
    expect(losses.length).toBeLessThanOrEqual(world.kills.length);
    expect(sent).toBeGreaterThan(SECONDS * RATE);
    await must(world, ["quit"]);
  },
);

async function setUp(scene: Scene): Promise<World> {
  const stateDir = scene.path("small");
  await scene.command(["mkdir", stateDir]);
  await scene.command(["mount", "-t", "tmpfs", "-o", "size=512k,mode=0755", "tmpfs", stateDir]);
  scene.atEnd(async () => {
    await scene.command(["umount", "-l", stateDir]);
  });
  for (const i of [0, 1]) copyFileSync(BINARY, scene.path(`fcgivisor-${i}`));
  const spots = [await tcpSpot(scene), unixSpot(scene)];
  const config = scene.config({
    supervisor: { state_dir: stateDir },
    log: { file: `${stateDir}/log`, level: "notice" },
    pools: {
      group: { ...phpPool(spots[0]!, { workers: 4, ...WORKER_USER }) },
      single: { ...phpPool(spots[1]!, { workers: 3, group_size: 1, ...WORKER_USER }) },
    },
  });
  return {
    scene,
    roll: dice(SEED),
    config,
    stateDir,
    spots,
    script: scene.fixture("php/pid.php"),
    kills: [],
    said: [],
  };
}

async function wreakHavoc(world: World): Promise<void> {
  const names = Object.keys(DEEDS);
  const end = performance.now() + SECONDS * 1000;
  while (performance.now() < end) {
    const name = names[world.roll(names.length)]!;
    world.said.push(`${Math.round(performance.now())} ${name}`);
    await DEEDS[name]!(world);
    await Bun.sleep(world.roll(PAUSE_MS));
  }
}

async function request(
  world: World,
  where: Spot,
  losses: { at: number; what: string }[],
): Promise<void> {
  try {
    const response = await fcgi(where.where, { script: world.script });
    if (response.status !== 200) throw new Lost("other", `status ${response.status}`);
  } catch (error) {
    losses.push({ at: performance.now(), what: `${where.listen}: ${error}` });
    throw error;
  }
}

/** As an operator would: start, and where the state file was lost, with --takeover. */
async function start(world: World): Promise<void> {
  const plain = await world.scene.fcgivisor(["start", "-c", world.config]);
  if (plain.code === 0) return;
  expect(plain.stderr).toContain("--takeover");
  const takeover = await world.scene.fcgivisor(["start", "--takeover", "-c", world.config]);
  expect(takeover).toMatchObject({ code: 0 });
}

async function must(world: World, words: string[]): Promise<void> {
  const outcome = await world.scene.fcgivisor([...words, "-c", world.config]);
  world.said.push(`  ${words.join(" ")}: exit ${outcome.code} ${outcome.stderr}`);
  expect(outcome).toMatchObject({ code: 0 });
}

async function supervisorPid(world: World): Promise<number | null> {
  const status = await world.scene.fcgivisor(["status", "--json", "-c", world.config]);
  if (status.stdout === "") return null;
  return (JSON.parse(status.stdout) as { pid: number }).pid;
}

async function pause(pid: number): Promise<void> {
  send(pid, "SIGSTOP");
  await Bun.sleep(200);
  send(pid, "SIGCONT");
}

function spot(world: World): Spot {
  return world.spots[world.roll(world.spots.length)]!;
}

function pick(world: World, pids: readonly number[]): number | null {
  return pids.length === 0 ? null : pids[world.roll(pids.length)]!;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It was quicker than we.
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}
