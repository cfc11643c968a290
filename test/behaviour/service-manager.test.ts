// What a service manager sees of the supervisor, against a stand-in of its notify socket, and what the
// supervisor makes of sockets that are handed over to it.

import { expect } from "bun:test";
import { existsSync, statSync, unlinkSync } from "node:fs";
import { gate } from "../helper/gate.ts";
import { managerVariables, monotonicMicroseconds, notifyEnd } from "../helper/notify.ts";
import { findProgram } from "../helper/packages.ts";
import { barePool, bodyOf, closed, tcpSpot, unixSpot, workersReach } from "../helper/pool.ts";
import { alive, listenersAt, procText } from "../helper/processes.ts";
import { BINARY, ready, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, type Settings } from "../helper/scene.ts";
import { queueAt } from "../helper/tcp.ts";
import { eventually } from "../helper/wait.ts";

/** A manager's end of the notify socket, and a supervisor with one pool that is told of it. */
async function managed(scene: Scene, variables: Readonly<Record<string, string>> = {}) {
  const end = notifyEnd(scene.path("notify"));
  scene.atEnd(end.close);
  const env = { NOTIFY_SOCKET: scene.path("notify"), ...variables };
  const spot = await tcpSpot(scene);
  const supervisor = await scene.run({ pools: { www: barePool(scene, spot) } }, { env });
  return { end, spot, supervisor };
}

behaviour(
  "tells READY with its pid and a status, RELOADING with the time, STOPPING",
  {},
  async (scene) => {
    const { end, supervisor } = await managed(scene);
    const isReady = await end.wait("READY=1");
    expect(end.notices()[isReady]!.lines).toEqual([
      "READY=1",
      `MAINPID=${supervisor.pid}`,
      "STATUS=serving: 1 pool, 2 workers, generation 1",
    ]);

    const before = monotonicMicroseconds();
    expect((await supervisor.control("reload")).code).toBe(0);
    const reloading = await end.wait("RELOADING=1", isReady);
    const [, time, status] = end.notices()[reloading]!.lines;
    const told = Number(/^MONOTONIC_USEC=(\d+)$/.exec(time!)![1]);
    expect(told).toBeGreaterThanOrEqual(before);
    expect(told).toBeLessThanOrEqual(monotonicMicroseconds());
    expect(status).toStartWith("STATUS=reloading: 1 pool");
    const again = await end.wait("READY=1", reloading);
    expect(end.notices()[again]!.lines).toContain(
      "STATUS=serving: 1 pool, 2 workers, generation 2",
    );

    expect((await supervisor.control("stop")).code).toBe(0);
    await end.wait("STOPPING=1", again);
  },
);

behaviour("a failed reload is READY again", {}, async (scene) => {
  const { end, supervisor } = await managed(scene);
  const isReady = await end.wait("READY=1");
  scene.write("fcgivisor.toml", "[pools.www]\nlisten = 1\n");
  expect((await supervisor.control("reload")).code).toBe(1);
  const reloading = await end.wait("RELOADING=1", isReady);
  await end.wait("READY=1", reloading);
});

behaviour(
  "gives its sockets to the store, each once, and takes back what it closes",
  {},
  async (scene) => {
    const end = notifyEnd(scene.path("notify"));
    scene.atEnd(end.close);
    const [tcp, unix] = [await tcpSpot(scene), unixSpot(scene, "a:b%.sock")];
    const settings = { www: barePool(scene, tcp), other: barePool(scene, unix) };
    const supervisor = await scene.run(
      { pools: settings },
      { env: { NOTIFY_SOCKET: scene.path("notify") } },
    );
    await end.wait("READY=1");
    const stored = () => end.notices().filter(({ lines }) => lines.includes("FDSTORE=1"));
    expect(stored().map(({ lines }) => lines[1])).toEqual([
      `FDNAME=fcgivisor@${tcp.listen.replace(":", "%3A")}`,
      `FDNAME=fcgivisor@${unix.listen.replace("a:b%", "a%3Ab%25")}`,
    ]);
    expect(stored().map(({ inodes }) => inodes)).toEqual([
      listenersAt(tcp.where),
      listenersAt(unix.where),
    ]);

    scene.config({ pools: { www: barePool(scene, tcp) } });
    expect((await supervisor.control("reload")).code).toBe(0);
    const removed = await end.wait("FDSTOREREMOVE=1");
    expect(end.notices()[removed]!.lines[1]).toBe(
      `FDNAME=fcgivisor@${unix.listen.replace("a:b%", "a%3Ab%25")}`,
    );
    expect(stored()).toHaveLength(2);
  },
);

behaviour(
  "finds a manager in the abstract namespace, and workers do not hear of it",
  {},
  async (scene) => {
    const name = `@fcgivisor-test-${process.pid}`;
    const end = notifyEnd(name);
    scene.atEnd(end.close);
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run(
      { pools: { www: barePool(scene, spot, { clear_env: false }) } },
      { env: { NOTIFY_SOCKET: name, WATCHDOG_USEC: "10000000", LISTEN_FDS: "1", LISTEN_PID: "1" } },
    );
    await end.wait("READY=1");
    expect(managerVariables(supervisor.pid)).toContain("NOTIFY_SOCKET");
    for (const pid of await workersReach(spot, 2)) expect(managerVariables(pid)).toEqual([]);
  },
);

behaviour("a start that fails tells why, with the errno", {}, async (scene) => {
  const end = notifyEnd(scene.path("notify"));
  scene.atEnd(end.close);
  const pool = barePool(scene, { where: { path: "" }, listen: "203.0.113.1:9000" });
  const config = scene.config({ pools: { www: pool } });
  const env = { NOTIFY_SOCKET: scene.path("notify") };
  expect((await scene.fcgivisor(["run", "-c", config], { env })).code).toBe(1);
  const failed = await end.wait(/^STATUS=failed: .*no such address/);
  expect(end.notices()[failed]!.lines).toContain("ERRNO=99");
  expect(end.notices().flatMap(({ lines }) => lines)).not.toContain("READY=1");
});

behaviour("a config that cannot be read is told too", {}, async (scene) => {
  const end = notifyEnd(scene.path("notify"));
  scene.atEnd(end.close);
  const config = scene.write("fcgivisor.toml", "nonsense = 1\n");
  const env = { NOTIFY_SOCKET: scene.path("notify") };
  expect((await scene.fcgivisor(["run", "-c", config], { env })).code).toBe(1);
  await end.wait(/^STATUS=failed: .*nonsense/);
});

behaviour(
  "sends WATCHDOG=1 at half the watchdog's time, and none while it hangs",
  {},
  async (scene) => {
    const { end, spot, supervisor } = await managed(scene, { WATCHDOG_USEC: "200000" });
    const count = () => end.notices().filter(({ lines }) => lines.includes("WATCHDOG=1")).length;
    const first = await eventually(count, { every: 1, what: "WATCHDOG=1" });
    const began = performance.now();
    await eventually(() => count() >= first + 9, { what: "WATCHDOG=1 ten times" });
    expect(performance.now() - began).toBeGreaterThan(700);

    supervisor.signal("SIGSTOP");
    await eventually(() => / T /.test(procText(supervisor.pid, "stat")));
    const stopped = count();
    // It serves without its supervisor.
    expect(await bodyOf(spot, {})).toContain("hello");
    expect(count()).toBe(stopped);
    supervisor.signal("SIGCONT");
    await eventually(() => count() > stopped, { what: "WATCHDOG=1 again" });
  },
);

behaviour("a watchdog meant for another process is told nothing", {}, async (scene) => {
  const { end, supervisor } = await managed(scene, {
    WATCHDOG_USEC: "2000",
    WATCHDOG_PID: String(process.pid),
  });
  // One that is meant for it would have come a millisecond after this.
  const isReady = await end.wait("READY=1");
  expect((await supervisor.control("reload")).code).toBe(0);
  await end.wait("READY=1", isReady + 1);
  expect(end.notices().flatMap(({ lines }) => lines)).not.toContain("WATCHDOG=1");
});

behaviour(
  "a manager that does not read does not hold anything up, and hears READY later",
  {},
  async (scene) => {
    const end = notifyEnd(scene.path("notify"));
    scene.atEnd(end.close);
    expect(end.fill()).toBeGreaterThan(0);
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run(
      { pools: { www: barePool(scene, spot) } },
      { env: { NOTIFY_SOCKET: scene.path("notify") } },
    );
    expect((await supervisor.control("status")).code).toBe(0);
    expect(await bodyOf(spot, {})).toContain("hello");
    await end.wait("READY=1");
  },
);

behaviour("a manager that is gone is mentioned once, and the service runs", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.run(
    { pools: { www: barePool(scene, spot) } },
    { env: { NOTIFY_SOCKET: scene.path("nobody") } },
  );
  expect((await supervisor.control("reload")).code).toBe(0);
  expect(await bodyOf(spot, {})).toContain("hello");
  expect(supervisor.log().match(/the service manager cannot be told/g)).toHaveLength(1);
});

// ------------------------------------------------------------------ sockets handed over

/** Runs the supervisor with sockets handed over by test/fixture/activate.pl. */
function activated(
  scene: Scene,
  sockets: readonly string[],
  settings: Settings,
): Promise<Supervisor> {
  return scene.run(settings, { under: [scene.fixture("activate.pl"), ...sockets, "--"] });
}

behaviour(
  "takes a pool's socket by its name; status and clients see the address",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const named = { ...spot, listen: "systemd:web" };
    const supervisor = await activated(scene, [`web=nonblock:${spot.listen}`], {
      pools: { www: barePool(scene, named, { clear_env: false, allowed_clients: ["127.0.0.1"] }) },
    });
    expect(await bodyOf(spot, {})).toContain("hello");
    const workers = await workersReach(spot, 2);
    for (const pid of workers) {
      const flags = /^flags:\s*([0-7]+)/m.exec(procText(pid, "fdinfo/0"))![1]!;
      expect(Number.parseInt(flags, 8) & 0o4000).toBe(0);
      expect(managerVariables(pid)).toEqual([]);
    }
    expect((await supervisor.control("status")).stdout).toContain(spot.listen);
    await supervisor.logged(
      `took over the socket ${spot.listen} of pool www from its systemd unit`,
    );
    const [inode] = listenersAt(spot.where);
    expect((await supervisor.control("reload")).code).toBe(0);
    expect(await bodyOf(spot, {})).toContain("hello");
    expect(listenersAt(spot.where)).toEqual([inode!]);
  },
);

behaviour(
  "the file of a Unix socket of systemd's keeps its mode, and stays at the end",
  {},
  async (scene) => {
    const path = scene.path("handed.sock");
    const spot = { where: { path }, listen: "systemd:web" };
    const supervisor = await activated(scene, [`web=unix:${path}`], {
      pools: { www: barePool(scene, spot) },
    });
    expect(await bodyOf(spot, {})).toContain("hello");
    expect(statSync(path).mode & 0o777).toBe(0o755);
    expect((await supervisor.control("stop")).code).toBe(0);
    await supervisor.gone();
    expect(existsSync(path)).toBe(true);
    unlinkSync(path);
  },
);

behaviour(
  "what no pool wants, and what is no listening socket, is closed with a warning",
  {},
  async (scene) => {
    const [spot, unused, datagram] = [
      await tcpSpot(scene),
      await tcpSpot(scene),
      await tcpSpot(scene),
    ];
    const supervisor = await activated(
      scene,
      [`idle=tcp:${unused.listen}`, `web=tcp:${spot.listen}`, `odd=datagram:${datagram.listen}`],
      { pools: { www: barePool(scene, { ...spot, listen: "systemd:web" }) } },
    );
    expect(await bodyOf(spot, {})).toContain("hello");
    await supervisor.logged(
      `the socket "idle" (${unused.listen}), handed over by systemd, is used by no pool`,
    );
    await supervisor.logged('("odd"), handed over by systemd, is no stream socket');
    await closed(unused);
  },
);

behaviour("a name that was not handed over is a fault that says what to do", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const config = scene.config({
    pools: { www: barePool(scene, { ...spot, listen: "systemd:web" }) },
  });
  expect((await scene.fcgivisor(["check", "-c", config])).code).toBe(0);
  const outcome = await scene.fcgivisor(["run", "-c", config]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain('systemd has handed over no socket named "web"');
  expect(outcome.stderr).toContain("FileDescriptorName=web");
});

behaviour("a pool that comes back in a later config gets its socket back", {}, async (scene) => {
  const [spot, other] = [await tcpSpot(scene), await tcpSpot(scene)];
  const www = barePool(scene, { ...spot, listen: "systemd:web" });
  const rest = barePool(scene, other);
  const supervisor = await activated(scene, [`web=tcp:${spot.listen}`], { pools: { www, rest } });
  const [inode] = listenersAt(spot.where);
  scene.config({ pools: { rest } });
  expect((await supervisor.control("reload")).code).toBe(0);
  scene.config({ pools: { www, rest } });
  expect((await supervisor.control("reload")).code).toBe(0);
  expect(await bodyOf(spot, {})).toContain("hello");
  expect(listenersAt(spot.where)).toEqual([inode!]);
});

behaviour(
  "a socket from the store is used again, with the clients that wait on it",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const launcher = scene.fixture("activate.pl");
    const config = scene.config({ pools: { www: barePool(scene, spot) } });
    const stored = `fcgivisor@${spot.listen.replace(":", "%3A")}=tcp:${spot.listen}`;
    // The launcher becomes a program that waits, so that a client is in the queue before the supervisor is there.
    const before = gate(scene);
    const wait = scene.write(
      "wait.sh",
      `#!/bin/sh\nwhile [ -e ${before.path} ]; do sleep 0.02; done\nexec "$@"\n`,
      0o755,
    );
    const child = scene.spawn([launcher, stored, "--", wait, BINARY, "run", "-c", config]);
    await eventually(() => listenersAt(spot.where).length === 1);
    const [inode] = listenersAt(spot.where);
    const early = bodyOf(spot, {});
    await eventually(() => queueAt(spot.where) === 1, { what: "a client is in the queue" });
    before.open();
    const supervisor = scene.follow(child.pid, config, scene.path("run/admin.sock"), child.stderr);
    await ready(supervisor.socket, () => alive(child.pid));
    expect(await early).toContain("hello");
    expect(listenersAt(spot.where)).toEqual([inode!]);
    await supervisor.logged(`took back the socket ${spot.listen} of pool www`);
    expect((await supervisor.control("stop")).code).toBe(0);
    await supervisor.gone();
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour(
  "is started by systemd-socket-activate at the first connection, and answers it",
  { needs: ["systemd"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.config({
      pools: { www: barePool(scene, { ...spot, listen: "systemd:web" }) },
    });
    const activator = findProgram("systemd-socket-activate")!;
    const child = scene.spawn([
      activator,
      "-l",
      spot.listen,
      "--fdname=web",
      BINARY,
      "run",
      "-c",
      config,
    ]);
    const supervisor = scene.follow(child.pid, config, scene.path("run/admin.sock"), child.stderr);
    await eventually(() => listenersAt(spot.where).length === 1);
    expect(await bodyOf(spot, {})).toContain("hello");
    await ready(supervisor.socket, () => alive(child.pid));
    expect((await supervisor.control("status")).stdout).toContain(spot.listen);
  },
);

behaviour("an upgrade keeps a socket of systemd's, and its name", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await activated(scene, [`web=tcp:${spot.listen}`], {
    pools: { www: barePool(scene, { ...spot, listen: "systemd:web" }) },
  });
  const [inode] = listenersAt(spot.where);
  const upgrade = await supervisor.control("upgrade");
  expect([upgrade.stderr, upgrade.code]).toEqual(["", 0]);
  expect(await bodyOf(spot, {})).toContain("hello");
  expect((await supervisor.control("reload")).code).toBe(0);
  expect(listenersAt(spot.where)).toEqual([inode!]);
  expect(alive(supervisor.pid)).toBe(true);
});
