// Commands that come thick and fast, out of turn, and while the config is being written: whatever
// happens, it ends in the state that was asked for, the service goes on, and nothing is left over.

import { expect } from "bun:test";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import {
  barePool,
  bodyOf,
  inHand,
  phpPool,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import {
  childrenOf,
  descriptorsOf,
  leadersAt,
  listenersAt,
  rssOf,
  workersAt,
} from "../helper/processes.ts";
import { BINARY, textOf, type Outcome, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, type Settings } from "../helper/scene.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually, within } from "../helper/wait.ts";

/** A control word as it travels on the socket, without the cost of a process for each. */
async function post(supervisor: Supervisor, word: string): Promise<number> {
  const answer = await supervisor.http(`/v1/${word}`, { method: "POST", keepalive: false });
  await answer.text();
  return answer.status;
}

/** Asks for an operation while another is in progress; resolves when it waits, with the way to its answer. */
async function queued(supervisor: Supervisor, word: string): Promise<() => Promise<unknown>> {
  const headers = { accept: "application/x-ndjson" };
  const { body } = await supervisor.http(`/v1/${word}`, { method: "POST", headers });
  const lines = textLines(body!);
  const first = await lines.next();
  expect(JSON.parse(first.value as string)).toMatchObject({ step: "waiting" });
  return async () => {
    let last = "";
    for await (const line of lines) last = line;
    return JSON.parse(last);
  };
}

async function* textLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
  }
}

interface Figures {
  readonly descriptors: number;
  readonly children: number;
}

/** What the supervisor holds when it has come to rest. */
async function atRest(supervisor: Supervisor, children: number): Promise<Figures> {
  await eventually(() => childrenOf(supervisor.pid).length === children, {
    what: `${children} children of the supervisor`,
  });
  let [last, same] = [-1, 0];
  const descriptors = await eventually(() => {
    const count = descriptorsOf(supervisor.pid).size;
    same = count === last ? same + 1 : 0;
    last = count;
    return same >= 20 ? count : null;
  });
  return { descriptors, children };
}

behaviour(
  "25 reloads, 0 to 24 ms apart, under load: each is answered, none loses a request, nothing leaks",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    await post(supervisor, "reload");
    const before = await atRest(supervisor, 1);
    const sockets = listenersAt(spot.where);
    await underLoad(spot, { script }, async () => {
      const reloads: Promise<number>[] = [];
      for (let i = 0; i < 25; i++) {
        reloads.push(post(supervisor, "reload"));
        await Bun.sleep(i);
      }
      const answers = await within("25 reloads", Promise.all(reloads));
      expect(new Set(answers)).toEqual(new Set([200]));
    });
    const after = await atRest(supervisor, 1);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
    expect(listenersAt(spot.where)).toEqual(sockets);
    await workersReach(spot, 2);
    expect(leadersAt(spot.where).length).toBe(1);
  },
);

behaviour("25 reload commands at once, as scripts would send them", {}, async (scene) => {
  const spot = unixSpot(scene);
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  const before = await atRest(supervisor, 2);
  await underLoad(spot, {}, async () => {
    const outcomes: Outcome[] = [];
    const words = Array.from({ length: 25 }, async () => {
      outcomes.push(await supervisor.control("reload", "--quiet"));
    });
    await within("25 reloads", Promise.all(words));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 0 });
  });
  expect((await atRest(supervisor, 2)).descriptors).toBeLessThanOrEqual(before.descriptors);
  await workersReach(spot, 2);
});

/** A pool whose workers take this many seconds to reach accept. */
function sluggish(scene: Scene, spot: Spot, seconds: number): Record<string, unknown> {
  const program = `#!/bin/sh\nsleep ${seconds}\nexec ${scene.fixture("fcgi/bare.pl")}\n`;
  return { ...barePool(scene, spot), command: [scene.write(`slow-${seconds}`, program, 0o755)] };
}

/** A `start` that is under way: its control socket is there, its workers are not. */
async function starting(scene: Scene, settings: Settings) {
  const log = { file: scene.path("fcgivisor.log") };
  const config = scene.config({ ...settings, log });
  const socket = scene.path("run/admin.sock");
  const start = scene.fcgivisor(["start", "-c", config]);
  const pid = await eventually(
    async () => {
      if (!existsSync(socket)) return null;
      const answer = await fetch("http://localhost/v1/status", { unix: socket });
      if (answer.status !== 200) return null;
      const status = (await answer.json()) as { pid: number; state: string };
      return status.state === "starting" ? status.pid : null;
    },
    { every: 2, what: "the start is under way" },
  );
  return { start, supervisor: scene.follow(pid, config, socket, () => textOf(log.file)) };
}

for (const word of ["reload", "restart"] as const) {
  behaviour(
    `a ${word} of which there is nothing to tell for twelve seconds is still answered`,
    {},
    async (scene) => {
      const spot = await tcpSpot(scene);
      const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
      const slow = { ...sluggish(scene, spot, 12), start_timeout: "30s" };
      scene.rewrite({ pools: { www: slow } });
      const outcome = await supervisor.control(word);
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      expect(outcome.ms).toBeGreaterThan(12_000);
      await workersReach(spot, 2);
    },
  );
}

behaviour("a reload during start waits for it, and both succeed", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const { start, supervisor } = await starting(scene, { pools: { www: sluggish(scene, spot, 1) } });
  const reload = supervisor.control("reload");
  expect(await start).toMatchObject({ code: 0 });
  const outcome = await reload;
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  await workersReach(spot, 2);
  await atRest(supervisor, 2);
});

behaviour(
  "a reload during a start that fails is told so, and nothing is left",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const failing = scene.write("failing", "#!/bin/sh\nsleep 1\necho no luck >&2\nexit 3\n", 0o755);
    const pool = { ...barePool(scene, spot), command: [failing] };
    const { start, supervisor } = await starting(scene, { pools: { www: pool } });
    const reload = supervisor.control("reload");
    expect(await start).toMatchObject({ code: 1 });
    const outcome = await reload;
    expect(outcome.code).not.toBe(0);
    expect(outcome.stderr).not.toContain("fetch()");
    await supervisor.gone();
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour("stop during start: it is over at once, and nothing is left", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const { start, supervisor } = await starting(scene, { pools: { www: sluggish(scene, spot, 8) } });
  const stop = await supervisor.control("stop");
  expect(stop, stop.stderr).toMatchObject({ code: 0 });
  const told = await start;
  expect(told, told.stdout).toMatchObject({ code: 1 });
  expect(told.stderr).toContain("stopped while it was starting");
  await supervisor.gone();
  expect(listenersAt(spot.where)).toEqual([]);
});

for (const word of ["stop", "quit"] as const) {
  behaviour(`${word} during a reload overrides it, and nothing is left`, {}, async (scene) => {
    const spot = unixSpot(scene);
    const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    await workersReach(spot, 2);
    scene.rewrite({ pools: { www: sluggish(scene, spot, 8) } });
    const reload = supervisor.control("reload");
    await eventually(async () => {
      const status = await supervisor.http("/v1/status");
      return ((await status.json()) as { operation: string | null }).operation === "reload";
    });
    const waiting = await queued(supervisor, "reload");
    const outcome = await within(word, supervisor.control(word));
    expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
    const given = await reload;
    expect(given).toMatchObject({ code: 1 });
    expect(given.stderr).toContain(word);
    const answer = await waiting();
    expect(answer).toMatchObject({ ok: false });
    expect(JSON.stringify(answer)).toContain(`because ${word} came`);
    await supervisor.gone();
    expect(existsSync(spot.listen)).toBe(false);
  });
}

behaviour("who asked for a reload goes away: the reload goes on", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  const slow = fcgi(spot.where, { query: "3" });
  const busy = await inHand(spot);
  const asker = scene.spawn([BINARY, "reload", "-c", supervisor.configFile]);
  await eventually(() => supervisor.log().includes("generation 2 of pool www serves"));
  asker.kill("SIGKILL");
  await asker.exited;
  expect((await slow).body).toContain(`${busy}`);
  await eventually(() => supervisor.log().includes("reload is done"));
  expect(supervisor.log()).not.toContain("reload failed");
  expect(await workersReach(spot, 2)).not.toContain(busy);
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
});

behaviour("quit, then stop: the stop makes it quick", { needs: ["php-cgi"] }, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/slow.php");
  const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
  const slow = fcgi(spot.where, { script, query: "ms=15000", timeout: 20_000 });
  slow.catch(() => undefined);
  await inHand(spot);
  const quit = supervisor.control("quit");
  await eventually(async () => {
    const status = await supervisor.http("/v1/status");
    return ((await status.json()) as { state: string }).state === "stopping";
  });
  const began = performance.now();
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(await quit).toMatchObject({ code: 0 });
  await expect(slow).rejects.toThrow();
  await supervisor.gone();
});

behaviour("stop, then quit, and everything twice: all are answered", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  const words = ["quit", "stop", "quit", "stop"];
  const outcomes = await Promise.all(words.map((word) => supervisor.control(word)));
  // Who comes after the end finds nothing running: exit 3.
  for (const { code, stderr } of outcomes) expect([0, 3], stderr).toContain(code);
  expect(outcomes.some(({ code }) => code === 0)).toBe(true);
  await supervisor.gone();
});

behaviour(
  "restart and reload at once: one after the other, and the service is whole",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const script = scene.fixture("php/hello.php");
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    const before = await atRest(supervisor, 1);
    const sockets = listenersAt(spot.where);
    for (const words of [
      ["restart", "reload"],
      ["reload", "restart"],
      ["restart", "restart", "reload", "logrotate"],
    ]) {
      const outcomes = await Promise.all(words.map((word) => supervisor.control(word)));
      for (const outcome of outcomes) expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      await workersReach(spot, 2);
      expect(await bodyOf(spot, { script })).toBe("hello world");
    }
    expect((await atRest(supervisor, 1)).descriptors).toBeLessThanOrEqual(before.descriptors);
    expect(listenersAt(spot.where)).toEqual(sockets);
  },
);

/** Writes a text in pieces, each of them on disk before the next. */
async function writeInPieces(file: string, text: string, pieces: number): Promise<void> {
  const handle = openSync(file, "w");
  try {
    const size = Math.ceil(text.length / pieces);
    for (let at = 0; at < text.length; at += size) {
      writeSync(handle, text.slice(at, at + size));
      fsyncSync(handle);
      await Bun.sleep(3);
    }
  } finally {
    closeSync(handle);
  }
}

behaviour(
  "the config is written in pieces while reloads run: each succeeds or refuses, the service goes on",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const settings = (round: number): Settings => ({
      pools: { www: barePool(scene, spot, { env: { ROUND: String(round) } }) },
    });
    const supervisor = await scene.start(settings(0));
    const file = supervisor.configFile;
    const codes = new Set<number>();
    await underLoad(spot, {}, async () => {
      for (let round = 1; round <= 8; round++) {
        scene.rewrite(settings(round));
        const text = readFileSync(file, "utf8");
        let written = false;
        const writing = writeInPieces(file, text, 25).finally(() => (written = true));
        while (!written) {
          const status = await post(supervisor, "reload");
          codes.add(status);
          expect(workersAt(spot.where).length).toBeGreaterThanOrEqual(2);
        }
        await writing;
      }
    });
    // Both ways must have been seen, or the pieces were not in the way of anything.
    expect(codes.size, [...codes].join()).toBeGreaterThan(1);
    expect(codes.has(200)).toBe(true);
    for (const code of codes) expect([200, 422, 400, 409, 500]).toContain(code);
    const last = await supervisor.control("reload");
    expect(last, last.stderr).toMatchObject({ code: 0 });
    await workersReach(spot, 2);
    await atRest(supervisor, 2);
  },
);

behaviour(
  "a config without any pool, for a moment, does not take the service away",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    const before = await workersReach(spot, 2);
    for (const text of ["", "\n", "# nothing yet\n", "[supervisor]\n"]) {
      scene.write("fcgivisor.toml", text);
      expect((await supervisor.control("reload")).code, JSON.stringify(text)).toBe(1);
      expect(await workersReach(spot, 2)).toEqual(before);
    }
  },
);

behaviour(
  "129 pools, of which one goes, comes back, and goes: the others never notice, nothing leaks",
  {},
  async (scene) => {
    const spots = Array.from({ length: 129 }, (_, i) => unixSpot(scene, `s${i}.sock`));
    const all = spots.map((spot, i) => [`p${i}`, barePool(scene, spot, { workers: 1 })] as const);
    const fewer = all.filter(([name]) => name !== "p77");
    const supervisor = await scene.start({ pools: Object.fromEntries(all) });
    const before = await atRest(supervisor, 129);
    await underLoad(spots[5]!, {}, async () => {
      for (const pools of [fewer, all, fewer, all]) {
        scene.rewrite({ pools: Object.fromEntries(pools) });
        const reload = await supervisor.control("reload");
        expect(reload, reload.stderr).toMatchObject({ code: 0 });
        const there = pools === all;
        expect(existsSync(spots[77]!.listen)).toBe(there);
        expect(workersAt(spots[77]!.where).length).toBe(there ? 1 : 0);
        for (const i of [0, 76, 78, 128]) expect(await bodyOf(spots[i]!, {})).toContain("hello");
      }
    });
    const after = await atRest(supervisor, 129);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
    expect(rssOf(supervisor.pid)).toBeLessThan(300_000);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
  },
);

behaviour(
  "129 pools of which one is broken: a reload of all changes nothing, one of another pool works",
  {},
  async (scene) => {
    const spots = Array.from({ length: 129 }, (_, i) => unixSpot(scene, `s${i}.sock`));
    const pools = Object.fromEntries(
      spots.map((spot, i) => [`p${i}`, barePool(scene, spot, { workers: 1 })]),
    );
    const supervisor = await scene.start({ pools });
    await atRest(supervisor, 129);
    const before = new Set(childrenOf(supervisor.pid));
    scene.rewrite({ pools: { ...pools, p64: barePool(scene, spots[64]!, { workers: 1 }, "die") } });
    const refused = await supervisor.control("reload");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain("p64");
    expect(refused.stderr.split("\n").length).toBeLessThan(30);
    await atRest(supervisor, 129);
    expect(new Set(childrenOf(supervisor.pid))).toEqual(before);
    expect(await supervisor.control("reload", "p3")).toMatchObject({ code: 0 });
    await atRest(supervisor, 129);
    expect(childrenOf(supervisor.pid).filter((pid) => !before.has(pid)).length).toBe(1);
    expect(await bodyOf(spots[64]!, {})).toContain("hello");
  },
);

behaviour(
  "a hundred status questions beside reloads do not get in each other's way",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    const before = await atRest(supervisor, 2);
    const asked = Array.from({ length: 100 }, async (_, i) => {
      await Bun.sleep(i * 5);
      const answer = await supervisor.http("/v1/status", { keepalive: false });
      const { pools } = (await answer.json()) as { pools: { name: string }[] };
      return pools.map(({ name }) => name).join();
    });
    const reloads = Array.from({ length: 5 }, () => post(supervisor, "reload"));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["www"]));
    expect(new Set(await Promise.all(reloads))).toEqual(new Set([200]));
    expect((await atRest(supervisor, 2)).descriptors).toBeLessThanOrEqual(before.descriptors);
  },
);
