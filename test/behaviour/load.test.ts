// What is seen of a pool's load from outside: its queue now and at its longest, who was dropped there, and
// how often all its workers were busy. No worker is asked for it.

import { expect } from "bun:test";
import type { AdviceStatus } from "../../src/admin/contract.ts";
import { fcgi } from "../helper/fcgi.ts";
import { hold } from "../helper/gate.ts";
import { type Spot, tcpSpot, unixSpot, workersReach } from "../helper/pool.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";
import { queueAt } from "../helper/tcp.ts";
import { eventually, LONGEST_MS } from "../helper/wait.ts";

const SHORT_QUEUE = 3;

/** So many requests that wait in the queue. */
function crowd(spot: Spot, count: number): Promise<unknown>[] {
  return Array.from({ length: count }, () => {
    const answer = fcgi(spot.where, { timeout: 2 * LONGEST_MS });
    // A loss is for who awaits it.
    answer.catch(() => {});
    return answer;
  });
}

async function poolOf(supervisor: Parameters<typeof statusOf>[0]) {
  return (await statusOf(supervisor)).pools[0]!;
}

for (const [kind, spotOf] of [
  ["TCP", (scene: Scene) => tcpSpot(scene)],
  ["Unix", async (scene: Scene) => unixSpot(scene)],
] as const) {
  behaviour(`the queue of a ${kind} socket is told now and at its longest`, {}, async (scene) => {
    const spot = await spotOf(scene);
    const { supervisor } = await startBare(scene, { workers: 1 }, spot);
    expect((await poolOf(supervisor)).queue).toMatchObject({ length: 0, most: 0 });
    const held = await hold(scene, spot);
    const answers = crowd(spot, 5);
    const full = await eventually(async () => {
      const { queue } = await poolOf(supervisor);
      return queue?.length === 5 && queue;
    });
    expect(full).toMatchObject({ most: 5, full: 0 });
    // It is the supervisor's own look that keeps the mark.
    await eventually(async () => (await poolOf(supervisor)).load.queue_recent.includes(5));
    held.open();
    await Promise.all(answers);
    await held.answer;
    const after = await eventually(async () => {
      const pool = await poolOf(supervisor);
      return pool.queue?.length === 0 ? pool : null;
    });
    expect(after.queue).toMatchObject({ most: 5 });
    expect(after.load).toMatchObject({ busy_most: 1, all_busy: 1 });
  });
}

behaviour("a full queue is told, and what the kernel drops then", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const listen = { address: spot.listen, backlog: SHORT_QUEUE };
  const { supervisor } = await startBare(scene, { workers: 1, listen }, spot);
  const held = await hold(scene, spot);
  const answers = crowd(spot, SHORT_QUEUE + 5);
  await eventually(async () => (await poolOf(supervisor)).queue?.full);
  expect(queueAt(spot.where)).toBe(SHORT_QUEUE + 1);
  // Whoever is not answered asks again, and is dropped again.
  await eventually(async () => ((await statusOf(supervisor)).tcp_drops?.overflows ?? 0) > 0);
  const { stdout } = await supervisor.control("status");
  expect(stdout).toContain(`the queue of pool www was full once (limit ${SHORT_QUEUE})`);
  expect(stdout).toMatch(/the kernel dropped [1-9]\d* TCP connections at full queues/);
  held.open();
  await Promise.all(answers);
  await held.answer;
});

behaviour("a saturated pool is told once, and how many workers it needs", {}, async (scene) => {
  const { spot, supervisor } = await startBare(scene, { workers: 1 });
  const fresh = await supervisor.control("advise");
  expect(fresh).toMatchObject({ code: 0, stderr: "" });
  expect(fresh.stdout).toMatch(/^pool www: 1 worker; too little was seen for advice/);
  const held = await hold(scene, spot);
  const answers = crowd(spot, 3);
  await supervisor.logged(
    /warn +pool www is saturated: its only worker has been busy for .* 3 connections wait/,
  );
  const advice = await supervisor.control("advise", "www");
  // One that was busy and three that waited, and a quarter more.
  expect(advice.stdout).toMatch(/^pool www: 5 instead of 1: at most 4 were wanted at once/);
  expect(advice.stdout).toMatch(
    /^  seen +\d+ looks?: at most 1 busy, all once, at most 3 waiting$/m,
  );
  expect(advice.stdout).toMatch(/^  by hour +\d\dh 1\+3/m);
  expect(advice.stdout).toMatch(
    /^  memory +[\d.]+ MB a worker \(PSS\), \d+ MB are free: room for \d+ in all$/m,
  );
  expect(advice.stdout).toMatch(/^  to paste +workers = 5 +# in \[pools.www\]$/m);
  const json = JSON.parse((await supervisor.control("advise", "--json")).stdout) as AdviceStatus;
  expect(json.pools[0]).toMatchObject({ verdict: "more", workers: 1, advised: 5, wanted: 4 });
  held.open();
  await Promise.all(answers);
  await held.answer;
  expect(supervisor.log().match(/is saturated/g)).toHaveLength(1);
  const none = await supervisor.control("advise", "nope");
  expect(none).toMatchObject({ code: 1, stdout: "" });
  expect(none.stderr).toContain('there is no pool "nope"');
});

behaviour("a pool that is down shows its last error, and status exits 1", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const broken = scene.path("broken");
  const command = [scene.fixture("fcgi/bare.pl"), "die-if", broken];
  const pools = { www: { listen: spot.listen, command, workers: 1, start_timeout: "10m" } };
  const supervisor = await scene.start({ pools });
  const [worker] = await workersReach(spot, 1);
  scene.write("broken", "", 0o666);
  process.kill(worker!, "SIGKILL");
  const outcome = await eventually(async () => {
    const status = await supervisor.control("status");
    return status.code === 1 && status.stdout.includes("next try in") ? status : null;
  });
  expect(outcome.stdout).toMatch(
    /^pool www is down, \d+ s ago: workers of pool www failed .* next try in /m,
  );
  const full = (await supervisor.control("status", "www")).stdout;
  expect(full).toMatch(/^since the start: \d+ workers started, 1 crashed, \d+ start-failed/m);
  expect(full).toMatch(/^last error \d+ s ago: /m);
});

behaviour(
  "status of a pool shows each worker, and of one that is not there nothing",
  {},
  async (scene) => {
    const { spot, supervisor, workers } = await startBare(scene, { workers: 3 });
    const held = await hold(scene, spot);
    const { code, stdout } = await supervisor.control("status", "www");
    expect(code).toBe(0);
    const rows = stdout.split("\n").filter((line) => /^\d+ +(idle|busy) /.test(line));
    expect(rows.map((row) => Number.parseInt(row, 10)).toSorted()).toEqual(workers.toSorted());
    expect(rows.filter((row) => / busy .* \d\.\d s$/.test(row))).toEqual([
      expect.stringContaining(String(held.worker)),
    ]);
    held.open();
    await held.answer;
    const none = await supervisor.control("status", "nope");
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toContain('there is no pool "nope"\n  hint: pools: www\n');
  },
);
