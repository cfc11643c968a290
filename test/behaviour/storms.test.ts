// Commands that come many at once, out of turn, and while the config is being written: whatever
// happens, it ends in the state that was asked for, the service goes on, and nothing is left over.

import { expect } from "bun:test";
import { closeSync, existsSync, fsyncSync, openSync, writeFileSync, writeSync } from "node:fs";
import type { Status } from "../../src/admin/contract.ts";
import { ask } from "../helper/ask.ts";
import { descriptorsAtRest, descriptorsFallTo } from "../helper/descriptors.ts";
import { gate, hold, holdPhp, type Gate } from "../helper/gate.ts";
import { forEachPhp } from "../helper/php.ts";
import {
  barePool,
  bodyOf,
  gatedPool,
  gatedReach,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import {
  childrenOf,
  environmentOf,
  leadersAt,
  listenersAt,
  rssOf,
  workersAt,
} from "../helper/processes.ts";
import { BINARY, textOf, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, type Settings } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

/**
 * A command as it travels on the socket, without the cost of a process for each. A loss rejects it,
 * but does not end the test by itself.
 */
function post({ http }: Supervisor, word: string): Promise<number> {
  const asked = http(`/v1/${word}`, { method: "POST", keepalive: false });
  const status = asked.then(async (answer) => {
    await answer.text();
    return answer.status;
  });
  status.catch(() => {});
  return status;
}

async function haveChildren({ pid }: Supervisor, count: number): Promise<void> {
  await eventually(() => childrenOf(pid).length === count, {
    every: 50,
    what: `${count} children of the supervisor`,
  });
}

interface Rest {
  readonly children: number;
  readonly descriptors: number;
}

async function atRest(supervisor: Supervisor, children: number): Promise<Rest> {
  await haveChildren(supervisor, children);
  return { children, descriptors: await descriptorsAtRest(supervisor) };
}

/** Waits until it has as many children as it had at rest, and no more descriptors. */
async function backAtRest(supervisor: Supervisor, { children, descriptors }: Rest): Promise<void> {
  await haveChildren(supervisor, children);
  await descriptorsFallTo(supervisor, descriptors);
}

forEachPhp(
  "a dozen reloads, 0 to 22 ms apart, under load: each is answered, none loses a request, nothing leaks",
  {},
  async (scene, php) => {
    const script = scene.fixture("php/hello.php");
    const { spot, supervisor } = await php.start(scene);
    expect(await post(supervisor, "reload")).toBe(200);
    const before = await atRest(supervisor, 1);
    const sockets = listenersAt(spot.where);
    await underLoad(spot, { script }, async () => {
      const reloads: Promise<number>[] = [];
      for (let i = 0; i < 12; i++) {
        reloads.push(post(supervisor, "reload"));
        await Bun.sleep(2 * i);
      }
      expect(new Set(await Promise.all(reloads))).toEqual(new Set([200]));
    });
    await backAtRest(supervisor, before);
    expect(listenersAt(spot.where)).toEqual(sockets);
    await workersReach(spot, 2);
    expect(leadersAt(spot.where).length).toBe(1);
    expect((await statusOf(supervisor)).generation).toBe(14);
  },
);

behaviour("a dozen reload commands at once, as scripts would send them", {}, async (scene) => {
  const { spot, supervisor } = await startBare(scene, {}, unixSpot(scene));
  const before = await atRest(supervisor, 2);
  const reloads = Array.from({ length: 12 }, () => supervisor.control("reload", "--quiet"));
  for (const outcome of await Promise.all(reloads))
    expect(outcome).toMatchObject({ code: 0, stdout: "", stderr: "" });
  await backAtRest(supervisor, before);
  await workersReach(spot, 2);
  expect((await statusOf(supervisor)).generation).toBe(13);
});

/** A pool whose workers wait at a gate before they accept. */
function gated(scene: Scene, spot: Spot, { path }: Pick<Gate, "path">): Settings {
  return { pools: { www: gatedPool(scene, spot, path) } };
}

/** Longer than a server of HTTP may keep silent, unless it is told otherwise: 10 s, kept to within 4. */
const IDLE_LIMIT_MS = 15_000;

behaviour(
  "a reload, and a restart behind it, of which there is nothing to tell for long are still answered",
  {},
  async (scene) => {
    const { spot, supervisor } = await startBare(scene);
    const { path, open } = gate(scene);
    scene.rewrite(gated(scene, spot, { path }));
    const reload = ask(supervisor, "reload");
    await reload.told("checked");
    const [command, plain] = [supervisor.control("reload"), post(supervisor, "reload")];
    const restart = ask(supervisor, "restart");
    await restart.told("waiting");
    await gatedReach(spot, 2);
    await Bun.sleep(IDLE_LIMIT_MS);
    expect(reload.lines).toEqual([{ step: "checked", pools: 1 }]);
    expect(restart.lines).toEqual([{ step: "waiting", behind: "reload" }]);
    open();
    expect(await reload.answer).toMatchObject({ ok: true, report: { operation: "reload" } });
    expect(await restart.answer).toMatchObject({ ok: true, report: { operation: "restart" } });
    expect(await command).toMatchObject({ code: 0 });
    expect(await plain).toBe(200);
    await workersReach(spot, 2);
  },
);

/** A `start` that is under way: its control socket is there, its workers are not. */
async function starting(scene: Scene, settings: Settings) {
  const config = scene.daemonConfig(settings);
  const socket = scene.path("run/admin.sock");
  const start = scene.fcgivisor(["start", "-c", config]);
  const pid = await eventually(
    async () => {
      if (!existsSync(socket)) return null;
      const answer = await fetch("http://localhost/v1/status", { unix: socket });
      const { pid, state } = (await answer.json()) as Status;
      return state === "starting" ? pid : null;
    },
    { every: 2, what: "the start is under way" },
  );
  const log = () => textOf(scene.path("fcgivisor.log"));
  return { start, supervisor: scene.follow(pid, config, socket, log) };
}

behaviour("a reload during start waits for it, and both succeed", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const door = gate(scene);
  const { start, supervisor } = await starting(scene, gated(scene, spot, door));
  const reload = ask(supervisor, "reload");
  expect(await reload.told("waiting")).toEqual({ step: "waiting", behind: "start" });
  const command = supervisor.control("reload");
  door.open();
  expect(await start).toMatchObject({ code: 0 });
  expect(await reload.answer).toMatchObject({ ok: true });
  const outcome = await command;
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  await workersReach(spot, 2);
  await haveChildren(supervisor, 2);
});

behaviour(
  "a reload during a start that fails is told so, and nothing is left",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const { path, open } = gate(scene);
    const text = `#!/bin/sh\nwhile [ -e ${path} ]; do sleep 0.1; done\necho no luck >&2\nexit 3\n`;
    const command = [scene.write("failing", text, 0o755)];
    const pools = { www: { ...barePool(scene, spot), command } };
    const { start, supervisor } = await starting(scene, { pools });
    const reload = ask(supervisor, "reload");
    await reload.told("waiting");
    const asCommand = supervisor.control("reload");
    open();
    const started = await start;
    expect(started).toMatchObject({ code: 1 });
    expect(started.stderr).toContain("no luck");
    expect(await reload.answer).toMatchObject({ ok: false });
    const outcome = await asCommand;
    // It may as well have come when all was over.
    expect([1, 3], outcome.stderr).toContain(outcome.code);
    expect(outcome.stderr).not.toContain("fetch()");
    await supervisor.gone();
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour("stop during start does not wait for it, and nothing is left", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const { start, supervisor } = await starting(scene, gated(scene, spot, gate(scene)));
  await gatedReach(spot, 2);
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
    const { spot, supervisor } = await startBare(scene, {}, unixSpot(scene));
    scene.rewrite(gated(scene, spot, gate(scene)));
    const reload = supervisor.control("reload");
    await gatedReach(spot, 2);
    const behind = ask(supervisor, "reload");
    await behind.told("waiting");
    const outcome = await supervisor.control(word);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
    const overridden = await reload;
    expect(overridden).toMatchObject({ code: 1 });
    expect(overridden.stderr).toContain(word);
    const answer = await behind.answer;
    expect(answer).toMatchObject({ ok: false });
    expect(JSON.stringify(answer)).toContain(`cancelled by ${word}`);
    await supervisor.gone();
    expect(existsSync(spot.listen)).toBe(false);
  });
}

behaviour("who asked for a reload goes away: the reload goes on", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const pools = { www: barePool(scene, spot) };
  const supervisor = await scene.start({ pools });
  const held = await hold(scene, spot);
  const asker = scene.spawn([BINARY, "reload", "-c", supervisor.configFile]);
  await supervisor.logged("generation 2 of pool www serves");
  asker.kill("SIGKILL");
  await asker.exited;
  // The two new ones, and of the old only the one that is busy.
  expect(await workersReach(spot, 3)).toContain(held.worker);
  expect(supervisor.log()).not.toContain("reload done");
  await held.finish();
  await supervisor.logged("reload done");
  expect(supervisor.log()).not.toContain("reload failed");
  expect(await workersReach(spot, 2)).not.toContain(held.worker);
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
});

forEachPhp(
  "quit, then stop: the stop does not wait for the request that the quit waits for",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const pools = { www: php.pool(spot) };
    const supervisor = await scene.start({ pools });
    await workersReach(spot, 2);
    const held = await holdPhp(scene, spot);
    const quit = supervisor.control("quit");
    expect(await workersReach(spot, 1)).toEqual([held.worker]);
    expect((await statusOf(supervisor)).state).toBe("stopping");
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    expect(await quit).toMatchObject({ code: 0 });
    await expect(held.answer).rejects.toThrow();
    await supervisor.gone();
  },
);

behaviour("stop, then quit, and everything twice: all are answered", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  const words = ["quit", "stop", "quit", "stop"];
  const outcomes = await Promise.all(words.map((word) => supervisor.control(word)));
  // Who comes after the end finds nothing running: exit 3.
  for (const { code, stderr } of outcomes) expect([0, 3], stderr).toContain(code);
  expect(outcomes.some(({ code }) => code === 0)).toBe(true);
  await supervisor.gone();
});

forEachPhp(
  "restart and reload at once: one after the other, and the service is whole",
  {},
  async (scene, php) => {
    const script = scene.fixture("php/hello.php");
    const { spot, supervisor } = await php.start(scene, {}, unixSpot(scene));
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
    await backAtRest(supervisor, before);
    expect(listenersAt(spot.where)).toEqual(sockets);
  },
);

/** The text as it grows in so many pieces, the whole of it last. */
function growing(text: string, pieces: number): string[] {
  const size = Math.ceil(text.length / pieces);
  const ends = Array.from({ length: pieces }, (_, i) => Math.min((i + 1) * size, text.length));
  return [...new Set(ends)].map((end) => text.slice(0, end));
}

/** Writes it in pieces, each of them on disk before the next. */
async function writeInPieces(file: string, text: string, pieces: number): Promise<void> {
  const handle = openSync(file, "w");
  try {
    let at = 0;
    for (const { length } of growing(text, pieces)) {
      writeSync(handle, text.slice(at, length));
      fsyncSync(handle);
      at = length;
      await Bun.sleep(3);
    }
  } finally {
    closeSync(handle);
  }
}

behaviour(
  "the config is written in pieces while reloads run: each succeeds or is refused, the service goes on",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const settings = (round: number): Settings => ({
      pools: { www: barePool(scene, spot, { env: { ROUND: String(round) } }) },
    });
    const supervisor = await scene.start(settings(0));
    const file = supervisor.configFile;
    const reload = async (): Promise<number> => {
      const status = await post(supervisor, "reload");
      expect([200, 422]).toContain(status);
      expect(workersAt(spot.where).length).toBeGreaterThanOrEqual(2);
      return status;
    };
    const textOfRound = (round: number): string => {
      scene.rewrite(settings(round));
      return textOf(file);
    };
    await underLoad(spot, {}, async () => {
      // One between any two pieces.
      const statuses: number[] = [];
      for (const text of growing(textOfRound(1), 20)) {
        writeFileSync(file, text);
        statuses.push(await reload());
      }
      expect(statuses[0]).toBe(422);
      expect(statuses.at(-1)).toBe(200);
      // And at any moment, in the middle of a piece, too.
      for (let round = 2; round <= 5; round++) {
        let written = false;
        const text = textOfRound(round);
        const writing = writeInPieces(file, text, 25).finally(() => (written = true));
        do await reload();
        while (!written);
        await writing;
      }
    });
    const last = await supervisor.control("reload");
    expect(last, last.stderr).toMatchObject({ code: 0 });
    const workers = await workersReach(spot, 2);
    for (const pid of workers) expect(environmentOf(pid)).toMatchObject({ ROUND: "5" });
    await haveChildren(supervisor, 2);
  },
);

behaviour(
  "a config without any pool, for a moment, does not take the service away",
  {},
  async (scene) => {
    const { spot, supervisor, workers: before } = await startBare(scene);
    for (const text of ["", "\n", "# nothing yet\n", "[supervisor]\n"]) {
      scene.write("fcgivisor.toml", text);
      expect((await supervisor.control("reload")).code, JSON.stringify(text)).toBe(1);
      expect(await workersReach(spot, 2)).toEqual(before);
    }
  },
);

behaviour(
  "65 pools: one that is broken changes nothing; one that goes and comes back, the others never notice",
  {},
  async (scene) => {
    const spots = Array.from({ length: 65 }, (_, i) => unixSpot(scene, `s${i}.sock`));
    const all = spots.map((spot, i) => [`p${i}`, barePool(scene, spot, { workers: 1 })] as const);
    const pools = Object.fromEntries(all);
    const supervisor = await scene.start({ pools });
    const before = await atRest(supervisor, 65);
    const workers = new Set(childrenOf(supervisor.pid));

    scene.rewrite({ pools: { ...pools, p32: barePool(scene, spots[32]!, { workers: 1 }, "die") } });
    const refused = await supervisor.control("reload");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain("p32");
    expect(refused.stderr.split("\n").length).toBeLessThan(30);
    await haveChildren(supervisor, 65);
    expect(new Set(childrenOf(supervisor.pid))).toEqual(workers);
    expect(await supervisor.control("reload", "p3")).toMatchObject({ code: 0 });
    await haveChildren(supervisor, 65);
    expect(childrenOf(supervisor.pid).filter((pid) => !workers.has(pid)).length).toBe(1);
    expect(await bodyOf(spots[32]!, {})).toContain("hello");

    await underLoad(spots[5]!, {}, async () => {
      for (const there of [false, true]) {
        const wanted = all.filter(([name]) => there || name !== "p40");
        scene.rewrite({ pools: Object.fromEntries(wanted) });
        const reload = await supervisor.control("reload");
        expect(reload, reload.stderr).toMatchObject({ code: 0 });
        expect(existsSync(spots[40]!.listen)).toBe(there);
        expect(workersAt(spots[40]!.where).length).toBe(there ? 1 : 0);
        for (const i of [0, 39, 41, 64]) expect(await bodyOf(spots[i]!, {})).toContain("hello");
      }
    });
    await backAtRest(supervisor, before);
    expect(rssOf(supervisor.pid)).toBeLessThan(300_000);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
  },
);

behaviour(
  "a hundred status questions are answered while a reload is in progress, and beside further ones",
  {},
  async (scene) => {
    const { spot, supervisor } = await startBare(scene);
    const before = await atRest(supervisor, 2);
    const { path, open } = gate(scene);
    scene.rewrite(gated(scene, spot, { path }));
    const reload = post(supervisor, "reload");
    await gatedReach(spot, 2);
    const questions = () => Array.from({ length: 100 }, () => statusOf(supervisor));
    for (const status of await Promise.all(questions()))
      expect(status).toMatchObject({ operation: "reload", pools: [{ name: "www" }] });
    open();
    const reloads = Array.from({ length: 5 }, () => post(supervisor, "reload"));
    for (const status of await Promise.all(questions()))
      expect(status.pools.map(({ name }) => name)).toEqual(["www"]);
    expect(new Set(await Promise.all([reload, ...reloads]))).toEqual(new Set([200]));
    await backAtRest(supervisor, before);
  },
);
