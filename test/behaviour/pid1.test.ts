// As process 1 of a container, here of a pid namespace: signals, orphans, exit codes, and a log that
// nobody reads. And signals that come before the supervisor is up, wherever it runs.

import { expect } from "bun:test";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { crash } from "../helper/crash.ts";
import { gate, hold } from "../helper/gate.ts";
import { barePool, bodyOf, gatedPool, tcpSpot, workersReach } from "../helper/pool.ts";
import {
  alive,
  allPids,
  childrenOf,
  commandOf,
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
  expect(one.spawned.stderr()).toContain("is stopping at once, requested by SIGTERM");
  expect(listenersAt(spot.where)).toEqual([]);
});

behaviour(
  'with stop_signal_means = "quit", TERM lets the request in flight finish',
  NEEDS,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const one = await container(scene, {
      supervisor: { stop_signal_means: "quit" },
      pools: { www: barePool(scene, spot) },
    });
    await isReady(one);
    const held = await hold(scene, spot);
    process.kill(one.pid, "SIGTERM");
    const asked = "is quitting, requested by SIGTERM";
    await eventually(() => one.spawned.stderr().includes(asked), { what: asked });
    held.open();
    expect((await held.answer).body).toContain("hello");
    expect(await one.spawned.exited).toBe(0);
  },
);

behaviour("a start that fails exits with 1 and says why", NEEDS, async (scene) => {
  const spot = await tcpSpot(scene);
  const one = await container(scene, { pools: { www: barePool(scene, spot, {}, "die") } });
  expect(await one.spawned.exited).toBe(1);
  expect(one.spawned.stderr()).toContain("last words of");
});

/**
 * Leaves two children to the program that it becomes, as somebody's `docker exec` may: one that has ended,
 * and nobody has asked how, and one that ends when the gate $ARGV[0] is opened.
 */
const WITH_ORPHANS = `
  my $gate = shift;
  my $dead = fork // die;
  exit 0 unless $dead;
  my $living = fork // die;
  if (!$living) { select(undef, undef, undef, 0.005) while -e $gate; exit 0; }
  for (;;) { open(my $stat, "<", "/proc/$dead/stat"); last if <$stat> =~ / Z /; }
  exec @ARGV or die;`;

behaviour("orphans that it inherits are reaped, and nothing is logged", NEEDS, async (scene) => {
  const spot = await tcpSpot(scene);
  const { path, open } = gate(scene);
  const program = scene.write("with-orphans.pl", WITH_ORPHANS);
  const one = await container(
    scene,
    { pools: { www: barePool(scene, spot) } },
    `exec perl ${program} ${path} "$@"`,
  );
  await isReady(one);
  await workersReach(spot, 2);
  const before = one.spawned.stderr();
  const children = () => allPids().filter((pid) => parentOf(pid) === one.pid);
  const isDead = (pid: number) => / Z /.test(procText(pid, "stat"));
  await eventually(() => !children().some(isDead), { what: "who was dead is reaped" });
  const living = children().find((pid) => commandOf(pid).includes(program))!;
  expect(alive(living)).toBe(true);
  open();
  await eventually(() => procText(living, "stat") === "", { what: "who has died is reaped" });
  expect(one.spawned.stderr()).toBe(before);
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

/** What is in a pipe that takes no more: it has 16 pages, and none of them is less than half full. */
const FULL_PIPE_BYTES = 32_768;

behaviour(
  "a log that nobody reads stops neither control, nor workers, nor the end",
  NEEDS,
  async (scene) => {
    const spot = await tcpSpot(scene);
    // Its stdout and stderr are a pipe whose reader does not read before the end.
    const fifo = scene.path("fifo");
    expect((await scene.command(["mkfifo", fifo])).code).toBe(0);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    scene.atEnd(() => closeSync(reader));
    const one = await container(
      scene,
      { pools: { www: barePool(scene, spot, {}, "flood") } },
      `exec "$@" > ${fifo} 2>&1`,
    );
    await isReady(one);
    // Each worker floods the log from before it accepts.
    const [first] = await workersReach(spot, 2);
    expect(await scene.fcgivisor(["status", "-c", one.config])).toMatchObject({ code: 0 });
    process.kill(first!, "SIGKILL");
    await eventually(() => !alive(first!));
    await workersReach(spot, 2);
    expect(await bodyOf(spot, {})).toContain("hello");
    expect((await scene.fcgivisor(["reload", "-c", one.config])).code).toBe(0);
    process.kill(one.pid, "SIGTERM");
    expect(await one.spawned.exited).toBe(0);
    const text = readFileSync(reader, "utf8");
    expect(text).toContain("flood");
    expect(text.length, "the pipe was full").toBeGreaterThan(FULL_PIPE_BYTES);
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
  // The end of process 1 ends its reader, too, which may not have come so far.
  await eventually(() => textOf(scene.path("piped.log")).includes("is ready after"));
  process.kill(piped.pid, "SIGTERM");
  expect(await piped.spawned.exited).toBe(0);
});

// ------------------------------------------------------------------ before it is up

behaviour(
  "TERM in the very first moments ends it in order: exit code 0, nothing left",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    // Its workers do not get as far as accept, so that no moment is too late.
    const config = scene.config({ pools: { www: gatedPool(scene, spot, gate(scene).path) } });
    const child = scene.spawn([BINARY, "run", "-c", config]);
    // As soon as it can be seen to hold the signal.
    await eventually(() => (BigInt(`0x${statusField(child.pid, "SigCgt") || "0"}`) >> 14n) & 1n, {
      every: 1,
    });
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(child.stderr()).not.toContain("is ready after");
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour("a stop during a recovery ends the left-over workers too", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const pool = barePool(scene, spot);
  const first = await scene.run({ pools: { www: pool } });
  const workers = await workersReach(spot, 2);
  await crash(first);
  // The canary waits at a gate, so that the stop comes in the middle.
  const { path, reached } = gate(scene);
  const health = { path: `/health?${path}`, timeout: "10m" };
  const config = scene.config({ pools: { www: { ...pool, health } } });
  const second = scene.spawn([BINARY, "run", "-c", config]);
  await reached();
  expect(workers.every(alive)).toBe(true);
  second.kill("SIGTERM");
  expect(await second.exited).toBe(0);
  expect(workers.some(alive)).toBe(false);
  expect(listenersAt(spot.where)).toEqual([]);
});
