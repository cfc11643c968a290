// As process 1 of a container, here of a pid namespace: signals, strangers, exit codes, and a log that
// nobody reads. And signals that come before the supervisor is up, wherever it runs.

import { expect } from "bun:test";
import { barePool, bodyOf, inHand, tcpSpot, workersReach } from "../helper/pool.ts";
import {
  alive,
  allPids,
  childrenOf,
  listenersAt,
  parentOf,
  procText,
  statusField,
} from "../helper/processes.ts";
import { BINARY, ready, textOf } from "../helper/program.ts";
import { behaviour, type Scene, type Settings, type Spawned } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const NEEDS = { needs: ["root", "unshare", "mounting"] } as const;

interface Container {
  readonly pid: number;
  readonly spawned: Spawned;
  readonly socket: string;
  readonly config: string;
}

/** Starts the binary as process 1; `wrap` is a shell line that ends in "$@", for what its output should be. */
async function container(scene: Scene, settings: Settings, wrap = 'exec "$@"'): Promise<Container> {
  const config = scene.config(settings);
  const socket = scene.path("run/admin.sock");
  const spawned = scene.spawn([
    "unshare",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
    "sh",
    "-c",
    wrap,
    "sh",
    BINARY,
    "run",
    "-c",
    config,
  ]);
  const pid = await eventually(
    () => childrenOf(spawned.pid).find((child) => statusField(child, "NSpid").endsWith("\t1")),
    { what: "process 1 is there" },
  );
  scene.atEnd(() => {
    if (alive(pid)) process.kill(pid, "SIGKILL");
  });
  return { pid, spawned, socket, config };
}

const isReady = ({ socket, pid }: Container) => ready(socket, () => alive(pid));

behaviour("as process 1, TERM ends it at once with exit code 0", NEEDS, async (scene) => {
  const spot = await tcpSpot(scene);
  const one = await container(scene, { pools: { www: barePool(scene, spot) } });
  await isReady(one);
  expect(await bodyOf(spot, {})).toContain("hello");
  process.kill(one.pid, "SIGTERM");
  expect(await one.spawned.exited).toBe(0);
  expect(one.spawned.stderr()).toContain("is stopping at once, as asked by SIGTERM");
  expect(listenersAt(spot.where)).toEqual([]);
});

behaviour(
  'with stop_signal_means = "quit", TERM lets the request in hand finish',
  NEEDS,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const one = await container(scene, {
      supervisor: { stop_signal_means: "quit" },
      pools: { www: barePool(scene, spot) },
    });
    await isReady(one);
    const slow = bodyOf(spot, { query: "1" });
    await inHand(spot);
    process.kill(one.pid, "SIGTERM");
    expect(await slow).toContain("hello");
    expect(await one.spawned.exited).toBe(0);
    expect(one.spawned.stderr()).toContain("is quitting, as asked by SIGTERM");
  },
);

behaviour("a start that fails exits with 1 and says why", NEEDS, async (scene) => {
  const spot = await tcpSpot(scene);
  const one = await container(scene, { pools: { www: barePool(scene, spot, {}, "die") } });
  expect(await one.spawned.exited).toBe(1);
  expect(one.spawned.stderr()).toContain("last words of");
});

behaviour("strangers that it inherits are reaped without a word", NEEDS, async (scene) => {
  const spot = await tcpSpot(scene);
  // A shell that leaves a child behind, as somebody's `docker exec` may: its end comes to process 1.
  const one = await container(
    scene,
    { pools: { www: barePool(scene, spot) } },
    '(sh -c "sleep 0.3 & sleep 0.4 & exit 0") & exec "$@"',
  );
  await isReady(one);
  const before = one.spawned.stderr().length;
  const zombies = () =>
    allPids().filter((pid) => parentOf(pid) === one.pid && / Z /.test(procText(pid, "stat")));
  await eventually(() => childrenOf(one.pid).length > 0 && zombies().length === 0, {
    what: "no zombie is left",
  });
  process.kill(childrenOf(one.pid)[0]!, "SIGKILL");
  await workersReach(spot, 2);
  await eventually(() => zombies().length === 0, { what: "no zombie is left" });
  expect(one.spawned.stderr().slice(before)).not.toMatch(/sleep|stranger/);
  process.kill(one.pid, "SIGTERM");
  expect(await one.spawned.exited).toBe(0);
});

behaviour("signals that ask for nothing end nothing, and reach no worker", NEEDS, async (scene) => {
  const spot = await tcpSpot(scene);
  const one = await container(scene, { pools: { www: barePool(scene, spot) } });
  await isReady(one);
  const workers = await workersReach(spot, 2);
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGPIPE"] as const)
    process.kill(one.pid, signal);
  await eventually(() => /SIGUSR2.*fcgivisor reload/.test(one.spawned.stderr()));
  expect(await bodyOf(spot, {})).toContain("hello");
  expect(workers.every(alive)).toBe(true);
  process.kill(one.pid, "SIGTERM");
  expect(await one.spawned.exited).toBe(0);
});

behaviour(
  "a log that nobody reads stops neither control, nor workers, nor the end",
  NEEDS,
  async (scene) => {
    const spot = await tcpSpot(scene);
    // Its stdout and stderr are a pipe whose reader never reads.
    const one = await container(
      scene,
      { pools: { www: barePool(scene, spot, {}, "flood") } },
      `mkfifo ${scene.path("fifo")}; sleep 600 < ${scene.path("fifo")} & exec "$@" > ${scene.path("fifo")} 2>&1`,
    );
    await isReady(one);
    // Each worker floods the log from before it accepts; the pipe holds 64 KiB.
    const [first] = await workersReach(spot, 2);
    await eventually(async () => {
      const status = await scene.fcgivisor(["status", "-c", one.config]);
      return status.code === 0 && status.ms < 2_000;
    });
    process.kill(first!, "SIGKILL");
    await eventually(() => !alive(first!));
    await workersReach(spot, 2);
    expect(await bodyOf(spot, {})).toContain("hello");
    expect((await scene.fcgivisor(["reload", "-c", one.config])).code).toBe(0);
    process.kill(one.pid, "SIGTERM");
    expect(await one.spawned.exited).toBe(0);
  },
);

behaviour("logs into a file that cannot seek, and into one that can", NEEDS, async (scene) => {
  const [first, second] = [await tcpSpot(scene), await tcpSpot(scene)];
  const file = scene.path("out.log");
  const plain = await container(
    scene,
    { pools: { www: barePool(scene, first) } },
    `exec "$@" > ${file} 2>&1`,
  );
  await isReady(plain);
  process.kill(plain.pid, "SIGTERM");
  expect(await plain.spawned.exited).toBe(0);
  expect(textOf(file)).toMatch(/is ready after .*\n[^]*has stopped/);

  const piped = await container(
    scene,
    { pools: { www: barePool(scene, second) } },
    `mkfifo ${scene.path("pipe")}; cat ${scene.path("pipe")} > ${scene.path("piped.log")} & exec "$@" > ${scene.path("pipe")} 2>&1`,
  );
  await isReady(piped);
  process.kill(piped.pid, "SIGTERM");
  expect(await piped.spawned.exited).toBe(0);
  expect(textOf(scene.path("piped.log"))).toContain("is ready after");
});

// ------------------------------------------------------------------ before it is up

behaviour(
  "TERM in the very first moments ends it in order: exit code 0, nothing left",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.config({ pools: { www: barePool(scene, spot) } });
    const child = scene.spawn([BINARY, "run", "-c", config]);
    // As soon as it can be seen to hold the signal.
    await eventually(() => (BigInt(`0x${statusField(child.pid, "SigCgt") || "0"}`) >> 14n) & 1n, {
      every: 1,
    });
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour(
  "a stop while it takes the service back ends the earlier workers too",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = barePool(scene, spot);
    const first = await scene.run({ pools: { www: pool } });
    const workers = await workersReach(spot, 2);
    first.signal("SIGKILL");
    await first.gone();
    // The canary takes its time, so that the stop comes in the middle.
    const health = { path: "/health?3", timeout: "10s" };
    const config = scene.config({ pools: { www: { ...pool, health } } });
    const second = scene.spawn([BINARY, "run", "-c", config]);
    await eventually(() => second.stderr().includes("listening on"));
    expect(workers.every(alive)).toBe(true);
    second.kill("SIGTERM");
    expect(await second.exited).toBe(0);
    expect(workers.some(alive)).toBe(false);
    expect(listenersAt(spot.where)).toEqual([]);
  },
);
