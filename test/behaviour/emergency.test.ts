// What is noticed of workers inside a php-cgi group, which their leader reaps: crashes in a row, and a
// leader that forks without end.

import { expect } from "bun:test";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { holdPhp } from "../helper/gate.ts";
import { forEachPhp } from "../helper/php.ts";
import { bodyOf, phpPool, secretPhp, type Spot, tcpSpot, workersReach } from "../helper/pool.ts";
import { alive, leadersAt, procText, statusField, workersAt } from "../helper/processes.ts";
import { behaviour, WITHOUT_PTRACE } from "../helper/scene.ts";
import { runPhp } from "../helper/serving.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;
const VERDICT = "keeps forking workers that die before they serve";

behaviour(
  "a leader that forks without end is ended, and another is started",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene, { workers: 3 });
    const [leader] = leadersAt(spot.where);
    const held = await holdPhp(scene, spot);
    forkWithoutEnd(spot, held.worker);
    await eventually(() => !alive(leader!), { what: "the storm is ended" });
    await supervisor.logged(`leader ${leader} of pool www ${VERDICT}`);
    await held.finish();
    await workersReach(spot, 3);
    expect(leadersAt(spot.where)).not.toContain(leader!);
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  },
);

behaviour(
  "a leader that forks without end is noticed where nobody may look into its workers",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    // Others want to get on meanwhile: here more looks are needed.
    const pools = { www: phpPool(spot, { workers: 3, nice: 19, command: [secretPhp(scene)] }) };
    const supervisor = await scene.run({ pools }, { under: WITHOUT_PTRACE });
    await workersReach(spot, 3);
    const status = await supervisor.control("status", "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({ pools: [{ workers: { unknown: 3 } }] });
    const [leader] = leadersAt(spot.where);
    forkWithoutEnd(spot);
    await eventually(() => !alive(leader!), { what: "the storm is ended" });
    await supervisor.logged(`leader ${leader} of pool www ${VERDICT}`);
    await workersReach(spot, 3);
  },
);

/** After USR1 every worker that a leader forks leaves at once, and it forks the next. */
function forkWithoutEnd(spot: Spot, spared?: number): void {
  for (const leader of leadersAt(spot.where)) process.kill(leader, "SIGUSR1");
  process.kill(
    workersAt(spot.where).find((pid) => pid !== spared)!,
    "SIGKILL",
  );
}

behaviour(
  "what a storm is told by: the kernel counts forks, and what was read",
  PHP,
  async (scene) => {
    const { spot } = await runPhp(scene, { workers: 2 });
    const [leader] = leadersAt(spot.where);
    const before = { faults: pageFaultsOf(leader!), read: bytesReadBy(leader!) };
    for (let i = 0; i < 10; i++) await killOne(spot);
    await workersReach(spot, 2);
    const perFork = (pageFaultsOf(leader!) - before.faults) / 10;
    expect(perFork).toBeGreaterThanOrEqual(2);
    expect(perFork).toBeLessThanOrEqual(5);
    expect(bytesReadBy(leader!)).toBe(before.read);
    const script = scene.fixture("php/pid.php");
    const [served] = (await bodyOf(spot, { script })).split(" ");
    process.kill(Number(served), "SIGKILL");
    await eventually(() => bytesReadBy(leader!) > before.read);
  },
);

function pageFaultsOf(pid: number): number {
  const stat = procText(pid, "stat");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[7]);
}

/** By it and by the children that it has reaped. */
function bytesReadBy(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(procText(pid, "io"))![1]);
}

forEachPhp(
  "who recycles fast at full load, crashes while serving, or is killed one by one is in no storm",
  // The storm itself is php-cgi's.
  PHP,
  async (scene, php) => {
    const [recycling, crashing, killed, storming] = [
      await tcpSpot(scene),
      await tcpSpot(scene),
      await tcpSpot(scene),
      await tcpSpot(scene),
    ];
    const supervisor = await scene.run({
      pools: {
        recycling: php.pool(recycling, { workers: 3, max_requests: 1 }),
        crashing: php.pool(crashing, { workers: 3 }),
        killed: php.pool(killed, { workers: 3 }),
        storming: phpPool(storming, { workers: 3 }),
      },
    });
    for (const spot of [recycling, crashing, killed, storming]) await workersReach(spot, 3);
    const leaders = [recycling, crashing, killed].flatMap(({ where }) => leadersAt(where));
    expect(leaders.length).toBe(3);
    const pid = scene.fixture("php/pid.php");
    const crash = scene.fixture("php/crash.php");
    const losses = [
      repeat(6, () => bodyOf(recycling, { script: pid })),
      repeat(6, () => cutRequest(crashing, crash)),
      repeat(1, () => killOne(killed)),
    ];
    try {
      const often = () => losses.every(({ done }) => done() >= 40);
      await eventually(often, { what: "each has lost 40 workers" });
      // A real storm gets its verdict meanwhile: so the others have been judged as often.
      forkWithoutEnd(storming);
      await supervisor.logged(VERDICT);
    } finally {
      await Promise.all(losses.map(({ stop }) => stop()));
    }
    const verdicts = supervisor.log().match(new RegExp(`of pool \\w+ ${VERDICT}`, "g"));
    expect(verdicts).toEqual([`of pool storming ${VERDICT}`]);
    expect(leaders.filter(alive)).toEqual(leaders);
  },
);

interface Repeated {
  readonly done: () => number;
  /** Rejects when one of them has failed. */
  readonly stop: () => Promise<void>;
}

/** Calls it again and again, so many times at once. */
function repeat(atOnce: number, call: () => Promise<unknown>): Repeated {
  let [count, over] = [0, false];
  const one = async () => {
    for (; !over; count++) await call();
  };
  const all = Promise.all(Array.from({ length: atOnce }, one));
  all.catch(() => {});
  return {
    done: () => count,
    stop: async () => {
      over = true;
      await all;
    },
  };
}

/** A request that its worker does not survive. */
async function cutRequest(spot: Spot, script: string): Promise<void> {
  const outcome = await fcgi(spot.where, { script }).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(Lost);
}

/** Ends the worker that was forked last, when it waits for a connection. */
async function killOne(spot: Spot, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const waits = (pid: number) => statusField(pid, "State").startsWith("S");
  const newest = await eventually(() => {
    const pid = Math.max(...workersAt(spot.where));
    return waits(pid) ? pid : null;
  });
  process.kill(newest, signal);
  await eventually(() => !alive(newest));
}

forEachPhp(
  "crashes in a row reload everything (emergency_restart_threshold)",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const settings = { emergency_restart_threshold: 3, emergency_restart_interval: "10m" };
    const supervisor = await scene.run({
      supervisor: settings,
      pools: { www: php.pool(spot, { workers: 3 }) },
    });
    await workersReach(spot, 3);
    const [leader] = leadersAt(spot.where);
    const emergency = () => supervisor.log().includes("workers crashed within");
    // One that crashes before it was ever seen does not count.
    await eventually(async () => emergency() || (await killOne(spot, "SIGSEGV")));
    await eventually(() => !alive(leader!), { what: "everything is reloaded" });
    await workersReach(spot, 3);
  },
);

forEachPhp("single workers that crash in a row count by their signal", {}, async (scene, php) => {
  const spot = await tcpSpot(scene);
  const settings = { emergency_restart_threshold: 2, emergency_restart_interval: "10m" };
  const pool = php.pool(spot, { workers: 2, group_size: 1 });
  const supervisor = await scene.run({ supervisor: settings, pools: { www: pool } });
  for (const pid of await workersReach(spot, 2)) process.kill(pid, "SIGSEGV");
  await supervisor.logged("workers crashed within");
  await supervisor.logged("generation 2 of pool www serves");
  await workersReach(spot, 2);
});
