// `logs` and `events`: the last lines of the log out of the supervisor itself, in the words of the log; whoever
// follows them misses nothing through an upgrade, and slows nobody down.

import { expect } from "bun:test";
import { connect, type Socket } from "node:net";
import { bodyOf, phpPool, tcpSpot } from "../helper/pool.ts";
import { BINARY, type Outcome, textOf } from "../helper/program.ts";
import { rssOf } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { startBare, startPhp } from "../helper/serving.ts";
import { eventually } from "../helper/wait.ts";

/** What all that write have to say, in eight requests. */
const LINES = 1600;

const PHP = { needs: ["php-cgi"] } as const;

type Line = Readonly<Record<string, unknown>>;

function linesOf({ code, stdout, stderr }: Pick<Outcome, "code" | "stdout" | "stderr">): Line[] {
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

behaviour("logs says what the log file says, word for word", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const broken = phpPool(await tcpSpot(scene), { command: ["/nonexistent/php-cgi"] });
  const pools = { www: phpPool(spot) };
  const supervisor = await scene.start({ pools });
  const query = "tag=odd%1b%5b2J&lines=2";
  await bodyOf(spot, { script: scene.fixture("php/say.php"), query });
  await supervisor.logged(/odd.* 1 by/);
  // A fault brings further lines.
  scene.rewrite({ pools: { ...pools, api: broken } });
  expect(await supervisor.control("reload")).toMatchObject({ code: 1 });
  const { stdout } = await supervisor.control("logs");
  expect(stdout).toBe(supervisor.log());
  expect(stdout).toContain("\n      hint: ");
  expect(stdout).toContain("odd\\x1b[2J 1 by");
});

behaviour(
  "events are the same as data, with all that happens and no output",
  PHP,
  async (scene) => {
    const { spot, supervisor, workers } = await startPhp(scene, { workers: 2, max_requests: 0 });
    await bodyOf(spot, { script: scene.fixture("php/say.php"), query: "tag=unheard&lines=1" });
    await supervisor.logged("unheard");
    const events = linesOf(await supervisor.control("events", "--json"));
    const numbers = events.map(({ number }) => Number(number));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(events.find(({ event }) => event === "group-started")).toMatchObject({
      level: "debug",
      pool: "www",
      workers: workers.length,
      message: expect.stringContaining("was started for generation 1"),
    });
    expect(JSON.stringify(events)).not.toContain("unheard");
    const own = linesOf(await supervisor.control("events", "--json", "--pool", "www"));
    expect(own.length).toBeLessThan(events.length);
    expect(own.every(({ pool, pools }) => pool === "www" || String(pools) === "www")).toBe(true);
    const last = linesOf(await supervisor.control("events", "--json", "-n", "1"));
    expect(last).toEqual(events.slice(-1));
    const recent = linesOf(await supervisor.control("events", "--json", "--since", "1h"));
    expect(recent).toEqual(events);
  },
);

behaviour("what is asked wrongly is told, and nothing is printed", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  for (const [words, told] of [
    [["logs", "nope"], 'there is no pool "nope"\n  hint: pools: www\n'],
    [["events", "--pool", "nope"], 'there is no pool "nope"'],
    [["events", "--since", "5"], 'write "5s" for seconds'],
    [["events", "--since", "soon"], "since: "],
    [["logs", "-n", "few"], 'lines: "few" is not a number'],
  ] as const) {
    const outcome = await supervisor.control(...words);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toContain(told);
  }
  const none = await supervisor.control("events", "--since", "0s");
  expect(none).toMatchObject({ code: 0, stdout: "" });
  expect(none.stderr).toContain("nothing is kept of the last 0s");
  expect((await supervisor.http("/v1/events?folow=true")).status).toBe(400);
});

behaviour("-f goes on through an upgrade without a gap, and ends at a stop", PHP, async (scene) => {
  const { supervisor } = await startPhp(scene);
  const file = scene.path("events.jsonl");
  const words = `exec ${BINARY} events -f --json -n 1000 -c ${supervisor.configFile} >${file}`;
  const follower = scene.spawn(["sh", "-c", words]);
  await eventually(() => textOf(file).includes("supervisor-ready"), { what: "it follows" });
  expect(await supervisor.control("upgrade")).toMatchObject({ code: 0 });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  const kept = linesOf(await supervisor.control("events", "--json"));
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  expect(await follower.exited).toBe(0);
  const lines = linesOf({ code: 0, stdout: textOf(file), stderr: follower.stderr() });
  expect(lines.map(({ number }) => Number(number))).toEqual(lines.map((_, i) => i + 1));
  expect(lines.at(-1)).toMatchObject({ event: "supervisor-stopped" });
  const count = (type: string) => lines.filter(({ event }) => event === type).length;
  expect([count("supervisor-starting"), count("recovered")]).toEqual([2, 1]);
  // What was there before the upgrade is there still.
  expect(kept[0]).toMatchObject({ number: 1, event: "supervisor-starting" });
});

behaviour(
  "a reader who does not read slows nobody, and learns what he lost",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, { log_rate: "unlimited" });
    const script = scene.fixture("php/say.php");
    const slow = connect(supervisor.socket);
    scene.atEnd(() => void slow.destroy());
    slow.pause();
    slow.write("GET /v1/logs?follow=true HTTP/1.1\r\nHost: x\r\n\r\n");
    const size = 50_000;
    const say = (from: number) =>
      Promise.all(
        [0, 1].map((i) =>
          bodyOf(spot, { script, query: `tag=t${from + i}z&lines=${LINES / 8}&size=${size}` }),
        ),
      );
    await say(0);
    const rss = rssOf(supervisor.pid);
    for (const from of [2, 4, 6]) await say(from);
    await supervisor.logged(/t[67]z 199 by/);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    // 60 MB have gone past meanwhile.
    expect(rssOf(supervisor.pid) - rss).toBeLessThan(30_000_000);
    // He has what is left for him, is told how much he has lost, and from there on has everything again.
    const text = readOn(slow, /"operation":"logrotate"[^\n]*"result":"done"/);
    await eventually(async () => {
      expect(await supervisor.control("logrotate")).toMatchObject({ code: 0 });
      return Bun.peek.status(text) === "fulfilled";
    });
    const lost = [...(await text).matchAll(/\{"lost":(\d+)\}/g)].map((found) => Number(found[1]));
    expect(lost.length).toBeGreaterThan(0);
    const read = (await text).match(/"text":"t\dz \d+ by/g) ?? [];
    const all = lost.reduce((sum, count) => sum + count, read.length);
    expect(read.length).toBeLessThan(LINES);
    expect(all).toBeGreaterThanOrEqual(LINES);
  },
);

/** What comes on a connection up to what is looked for. */
function readOn(socket: Socket, until: RegExp): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const take = (chunk: Buffer) => {
    text += chunk.toString();
    if (!until.test(text)) return;
    socket.off("data", take);
    resolve(text);
  };
  socket.on("data", take);
  socket.resume();
  return promise;
}

behaviour("the log is not for those who may only look", {}, async (scene) => {
  const look = scene.path("run/look.sock");
  const spot = await tcpSpot(scene);
  await scene.start({
    admin: { read_only_socket: look },
    pools: { www: { listen: spot.listen, command: [scene.fixture("fcgi/bare.pl")], workers: 1 } },
  });
  const ask = (path: string) => fetch(`http://x${path}`, { unix: look });
  expect((await ask("/v1/logs")).status).toBe(404);
  expect((await ask("/v1/events")).status).toBe(404);
  expect((await ask("/v1/status")).status).toBe(200);
});
