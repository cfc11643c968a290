// What is counted from outside, beside what nginx counts that sends the requests; and that it is told as fast as ever
// when nobody is free to answer.

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fcgi } from "../helper/fcgi.ts";
import { gate, holdPhp } from "../helper/gate.ts";
import { nginx } from "../helper/nginx.ts";
import { PHP_FPM } from "../helper/php.ts";
import { tcpSpot } from "../helper/pool.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour } from "../helper/scene.ts";
import { startPhp } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";
import { queueAt } from "../helper/tcp.ts";
import { eventually, LONGEST_MS } from "../helper/wait.ts";

const NGINX = { needs: ["php-cgi", "nginx"] } as const;
const WORKERS = 4;
const REQUESTS = 10_000;
const AT_ONCE = 32;

async function poolOf(supervisor: Supervisor) {
  return (await statusOf(supervisor)).pools[0]!;
}

behaviour("busy and waiting are what nginx has in flight", NGINX, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, { workers: WORKERS });
  const script = scene.fixture("php/gate.php");
  const web = await nginx(scene, { to: spot.where, root: dirname(script) });
  const { path, open } = gate(scene);
  const answers = Array.from({ length: WORKERS + 3 }, () => web.get(`/gate.php?${path}`));
  await eventually(async () => (await web.inFlight()) === answers.length);
  const pool = await eventually(async () => {
    const { workers, queue } = await poolOf(supervisor);
    return workers.busy + queue!.length === answers.length ? { workers, queue } : null;
  });
  expect(pool.workers).toMatchObject({ busy: WORKERS, idle: 0 });
  expect(pool.queue).toMatchObject({ length: 3, most: 3 });
  open();
  for (const answer of answers) expect((await answer).status).toBe(200);
  await eventually(async () => (await poolOf(supervisor)).workers.idle === WORKERS);
  expect(await web.inFlight()).toBe(0);
});

behaviour("over 10,000 requests nothing is lost, and the counts add up", NGINX, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, { workers: WORKERS, max_requests: 0 });
  const root = dirname(scene.fixture("php/hello.php"));
  const log = scene.path("access.log");
  const lines = [`access_log ${log} combined;`];
  const web = await nginx(scene, { to: spot.where, root, lines });
  let sent = 0;
  const sender = async () => {
    while (sent++ < REQUESTS) expect((await web.get("/hello.php")).status).toBe(200);
  };
  const all = Promise.all(Array.from({ length: AT_ONCE }, sender));
  let [looks, busy] = [0, 0];
  while (Bun.peek.status(all) === "pending") {
    const { state, workers, queue } = await poolOf(supervisor);
    const { idle, parked, unknown, wanted } = workers;
    expect({ state, wanted }).toEqual({ state: "serving", wanted: WORKERS });
    expect(idle + workers.busy + parked + unknown).toBe(WORKERS);
    // Nobody can wait or be served who has not been sent.
    expect(queue!.length).toBeLessThanOrEqual(AT_ONCE);
    looks++;
    busy = Math.max(busy, workers.busy);
    await Bun.sleep(20);
  }
  await all;
  expect(looks).toBeGreaterThan(10);
  expect(busy).toBeGreaterThan(0);
  const answered = readFileSync(log, "utf8").trimEnd().split("\n");
  expect(answered.filter((line) => line.includes('" 200 '))).toHaveLength(REQUESTS);
  expect(answered).toHaveLength(REQUESTS);
  const { queue, load, counts } = await poolOf(supervisor);
  expect(queue).toMatchObject({ length: 0, full: 0 });
  expect(queue!.most).toBeLessThanOrEqual(AT_ONCE);
  expect(load.busy_most).toBeGreaterThan(0);
  expect(load.busy_most).toBeLessThanOrEqual(WORKERS);
  expect(counts).toMatchObject({ workers_started: WORKERS, workers_ended: {} });
});

behaviour(
  "the requests that php-fpm counts are those that were sent, through a reload and an upgrade",
  { needs: ["php-fpm", "nginx"] },
  async (scene) => {
    const { spot, supervisor } = await PHP_FPM.start(scene, { workers: 2 });
    const root = dirname(scene.fixture("php/hello.php"));
    const web = await nginx(scene, { to: spot.where, root, keepalive: 2 });
    let sent = 0;
    const send = async (count: number) => {
      for (const end = sent + count; sent < end; sent++) await web.get("/hello.php");
      await counted();
    };
    const counted = () =>
      eventually(async () => (await poolOf(supervisor)).counts.requests === sent, {
        what: `${sent} requests are counted`,
      });
    await send(100);
    await eventually(
      async () => {
        await send(10);
        const { load } = await poolOf(supervisor);
        return (load.requests_per_second ?? 0) > 0;
      },
      { what: "requests a second are told" },
    );
    expect((await supervisor.control("status")).stdout).toMatch(
      / REQ\/S .*\nwww .* [0-9.]+ +[0-9]+% /,
    );
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await send(50);
    expect(await supervisor.control("upgrade")).toMatchObject({ code: 0 });
    await send(50);
    const metrics = await (await supervisor.http("/metrics")).text();
    expect(metrics).toContain(`fcgivisor_pool_requests_total{pool="www"} ${sent}\n`);
    expect(metrics).toMatch(
      new RegExp(`^phpfpm_accepted_connections\\{pool="www",.*\\} ${sent}$`, "m"),
    );
    expect((await supervisor.control("status", "www")).stdout).toContain(
      `since the start: ${sent} requests, `,
    );
  },
);

const SHORT_QUEUE = 3;
const ROUNDS = 7;
/** Looking into a worker that has a request costs more than a look at one that has none. */
const TIMES_SLOWER_MOST = 5;

/** The middle one of several, in ms. */
async function statusMs(supervisor: Supervisor): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const outcome = await supervisor.control("status");
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    times.push(outcome.ms);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
}

behaviour(
  "status is as fast as ever while every worker is busy and the queue is full",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const listen = { address: spot.listen, backlog: SHORT_QUEUE };
    const { supervisor } = await startPhp(scene, { workers: WORKERS, listen }, spot);
    const idleMs = await statusMs(supervisor);
    const held = [];
    for (let i = 0; i < WORKERS; i++) held.push(await holdPhp(scene, spot));
    const script = scene.fixture("php/hello.php");
    const waiting = Array.from({ length: SHORT_QUEUE + 1 }, () =>
      fcgi(spot.where, { script, timeout: 2 * LONGEST_MS }),
    );
    await eventually(() => queueAt(spot.where) === SHORT_QUEUE + 1);
    const busyMs = await statusMs(supervisor);
    const { stdout } = await supervisor.control("status");
    expect(stdout).toMatch(
      new RegExp(`^www +serving .* ${WORKERS}/${WORKERS} +${SHORT_QUEUE + 1}/${SHORT_QUEUE} `, "m"),
    );
    expect(busyMs).toBeLessThan(TIMES_SLOWER_MOST * idleMs);
    for (const each of held) await each.finish();
    for (const answer of waiting) expect((await answer).status).toBe(200);
  },
);
