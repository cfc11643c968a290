// What is seen of a pool's load from outside: its queue now and at its longest, who was dropped there, and
// how often all its workers were busy. No worker is asked for it.

import { expect } from "bun:test";
import { fcgi } from "../helper/fcgi.ts";
import { hold } from "../helper/gate.ts";
import { type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
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
