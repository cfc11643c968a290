// The printed units under a real systemd: what was promised of kills, restarts and hardening.

import { expect } from "bun:test";
import { existsSync, unlinkSync } from "node:fs";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { gate, gateFolder, hold, holdPhp } from "../helper/gate.ts";
import { divided } from "../helper/parked.ts";
import { forEachPhp } from "../helper/php.ts";
import { underLoad } from "../helper/under-load.ts";
import {
  barePool,
  bodyOf,
  closed,
  NO_HURRY,
  phpPool,
  tcpSpot,
  unixSpot,
  workersReach,
} from "../helper/pool.ts";
import {
  alive,
  allPids,
  leadersAt,
  listenersAt,
  parentOf,
  procText,
  statusField,
  workersAt,
} from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { controlGroupName, unifiedGroupOf } from "../helper/kernel.ts";
import { type Systemd, systemd } from "../helper/systemd.ts";
import { queueAt } from "../helper/tcp.ts";
import { eventually } from "../helper/wait.ts";

const REAL = { needs: ["root", "systemd", "a systemd that can run"] } as const;

const UNIT = "fcgivisor.service";
const CAP_SYS_PTRACE = 1n << 19n;

/** The unit that the program prints for this config, started. */
async function started(scene: Scene, manager: Systemd, config: string, dropIn = ""): Promise<void> {
  const printed = await scene.fcgivisor(["service", "systemd", "-c", config]);
  expect([printed.stderr, printed.code]).toEqual(["", 0]);
  await manager.unit(UNIT, printed.stdout);
  if (dropIn !== "") await manager.unit(`${UNIT}.d/test.conf`, dropIn);
  await withoutWatchdogs(manager);
  const start = await manager.ctl("start", UNIT);
  if (start.code !== 0) throw new Error((await manager.ctl("status", UNIT)).stdout);
  scene.atEnd(async () => {
    await manager.ctl("stop", UNIT);
  });
}

/** A unit with one pool on TCP, started. */
async function startedWithOnePool(scene: Scene, dropIn = "") {
  const spot = await tcpSpot(scene);
  const manager = await systemd(scene);
  const config = scene.daemonConfig({ pools: { www: barePool(scene, spot) } });
  await started(scene, manager, config, dropIn);
  return { spot, manager, config };
}

/** Until systemd reads its units again it ends no service whose sign of life is late: the machine may be to blame. */
async function withoutWatchdogs(manager: Systemd): Promise<void> {
  expect((await manager.ctl("service-watchdogs", "no")).code).toBe(0);
}

/** Those that it has let off are looked at again, too. */
async function withWatchdogs(manager: Systemd): Promise<void> {
  expect((await manager.ctl("daemon-reload")).code).toBe(0);
}

/** A drop-in with which a start of the unit waits at the gate of this name, when there is one that is closed. */
function waitsAt(scene: Scene, name: string): string {
  const script = 'echo $$ > "$1.new"; mv "$1.new" "$1.at"; while [ -e "$1" ]; do sleep 0.02; done';
  const path = `${gateFolder(scene)}/${name}`;
  return `[Service]\nExecStartPre=/bin/sh ${scene.write("wait-at.sh", script)} ${path}\n`;
}

/** Waits until systemd has started it once more and it has said READY. */
async function servesAgain(manager: Systemd): Promise<void> {
  const serving = async () =>
    (await manager.show(UNIT, "NRestarts")) === "1" &&
    (await manager.show(UNIT, "StatusText")).startsWith("serving");
  await eventually(serving, { what: "it serves again" });
}

/** Supervisor's pid as this side of the namespaces has it. */
async function mainPid(manager: Systemd): Promise<number> {
  const inner = await manager.show(UNIT, "MainPID");
  const outer = await eventually(
    async () => {
      const { stdout } = await manager.inside("cat", `/proc/${inner}/stat`);
      return stdout.split(" ")[21];
    },
    { what: "the supervisor's start time" },
  );
  const isIt = (pid: number) => {
    const stat = procText(pid, "stat");
    return (
      statusField(pid, "NSpid").split(/\s+/).at(-1) === inner &&
      stat.slice(stat.lastIndexOf(")")).split(" ")[20] === outer
    );
  };
  return eventually(() => allPids().find(isIt), { what: `${inner} of the namespace is found` });
}

const logOf = (scene: Scene) => textOf(scene.path("fcgivisor.log"));

behaviour("start, status, reload and stop through systemctl", REAL, async (scene) => {
  const { spot, manager } = await startedWithOnePool(scene);
  expect(await manager.show(UNIT, "ActiveState")).toBe("active");
  expect(await manager.show(UNIT, "StatusText")).toBe("serving: 1 pool, 2 workers, generation 1");
  expect(await bodyOf(spot, {})).toContain("hello");
  const reload = await manager.ctl("reload", UNIT);
  expect([reload.stderr, reload.code]).toEqual(["", 0]);
  expect(await manager.show(UNIT, "StatusText")).toContain("generation 2");
  scene.write("fcgivisor.toml", "nonsense = 1\n");
  expect((await manager.ctl("reload", UNIT)).code).not.toBe(0);
  expect(await manager.show(UNIT, "ActiveState")).toBe("active");
  expect(await bodyOf(spot, {})).toContain("hello");
  expect((await manager.ctl("stop", UNIT)).code).toBe(0);
  // systemd closes its copy of the socket a moment after the stop.
  await closed(spot);
});

behaviour(
  "kill -9 of the supervisor: systemd starts it again, and nobody notices",
  REAL,
  async (scene) => {
    const [tcp, unix] = [await tcpSpot(scene), unixSpot(scene)];
    const manager = await systemd(scene);
    const other = barePool(scene, unix, { drain_timeout: "10m" });
    const pools = { www: barePool(scene, tcp), other };
    await started(scene, manager, scene.daemonConfig({ pools }));
    const inodes = [listenersAt(tcp.where), listenersAt(unix.where)];
    const held = await hold(scene, unix);
    await underLoad(tcp, {}, async () => {
      process.kill(await mainPid(manager), "SIGKILL");
      await servesAgain(manager);
    });
    held.open();
    expect((await held.answer).body).toContain("hello");
    expect([listenersAt(tcp.where), listenersAt(unix.where)]).toEqual(inodes);
    expect(logOf(scene)).toMatch(/which systemd had stored/);
  },
);

behaviour(
  "sockets outlive even the last worker: who comes meanwhile waits",
  REAL,
  async (scene) => {
    const [tcp, unix] = [await tcpSpot(scene), unixSpot(scene)];
    const manager = await systemd(scene);
    const pools = { www: barePool(scene, tcp), other: barePool(scene, unix) };
    await started(scene, manager, scene.daemonConfig({ pools }), waitsAt(scene, "restart"));
    const inodes = [listenersAt(tcp.where), listenersAt(unix.where)];
    const restart = gate(scene, "restart");
    expect((await manager.ctl("kill", "--kill-who=all", "-s", "KILL", UNIT)).code).toBe(0);
    await restart.reached();
    expect([...workersAt(tcp.where), ...workersAt(unix.where)]).toEqual([]);
    const waiting = [tcp, unix].map((spot) => bodyOf(spot, {}));
    await eventually(() => queueAt(tcp.where) === 1, { what: "a client waits" });
    restart.open();
    for (const body of await Promise.all(waiting)) expect(body).toContain("hello");
    await servesAgain(manager);
    expect([listenersAt(tcp.where), listenersAt(unix.where)]).toEqual(inodes);
  },
);

behaviour("systemctl restart refuses nobody on TCP", REAL, async (scene) => {
  const { spot, manager } = await startedWithOnePool(scene, "[Service]\nKillSignal=SIGQUIT\n");
  await underLoad(spot, {}, async () => {
    expect((await manager.ctl("restart", UNIT)).code).toBe(0);
  });
});

behaviour(
  "a supervisor that hangs is started again by the watchdog; its workers go on serving",
  REAL,
  async (scene) => {
    const dropIn = `${waitsAt(scene, "restart")}WatchdogSec=1\n`;
    const { spot, manager } = await startedWithOnePool(scene, dropIn);
    const pid = await mainPid(manager);
    const workers = await workersReach(spot, 2);
    const restart = gate(scene, "restart");
    process.kill(pid, "SIGSTOP");
    await withWatchdogs(manager);
    await restart.reached();
    await withoutWatchdogs(manager);
    expect(alive(pid)).toBe(false);
    expect(workers.every(alive)).toBe(true);
    expect(await bodyOf(spot, {})).toContain("hello");
    restart.open();
    await servesAgain(manager);
    await eventually(() => !workers.some(alive), { what: "the left-over workers are gone" });
    await workersReach(spot, 2);
  },
);

behaviour(
  "the printed socket unit starts the service at the first connection",
  REAL,
  async (scene) => {
    const path = scene.path("api.sock");
    const spot = { where: { path }, listen: "systemd:api" };
    const manager = await systemd(scene);
    const config = scene.daemonConfig({ pools: { api: barePool(scene, spot) } });
    const printed = await scene.fcgivisor(["service", "systemd-socket", "-c", config]);
    const socket = printed.stdout.replace(/^ListenStream=.*$/m, `ListenStream=${path}`);
    await manager.unit("fcgivisor-api.socket", socket);
    const service = await scene.fcgivisor(["service", "systemd", "-c", config]);
    await manager.unit(UNIT, service.stdout);
    scene.atEnd(async () => {
      await manager.ctl("stop", "fcgivisor-api.socket", UNIT);
    });
    expect((await manager.ctl("start", "fcgivisor-api.socket")).code).toBe(0);
    expect(await manager.show(UNIT, "ActiveState")).toBe("inactive");
    expect(await bodyOf(spot, {})).toContain("hello");
    expect(logOf(scene)).toContain(
      `took over the socket ${path} of pool api from its systemd unit`,
    );

    process.kill(await mainPid(manager), "SIGKILL");
    await servesAgain(manager);
    expect(await bodyOf(spot, {})).toContain("hello");
    expect((await manager.ctl("stop", UNIT)).code).toBe(0);
    expect(existsSync(path)).toBe(true);
  },
);

for (const more of ["", "NoNewPrivileges=yes\n"]) {
  behaviour(
    `all that it does works under the hardening of the unit${more === "" ? "" : ` and ${more.trim()}`}`,
    { ...REAL, needs: [...REAL.needs, "php-cgi"] },
    async (scene) => {
      const [php, bare] = [await tcpSpot(scene), unixSpot(scene)];
      const manager = await systemd(scene);
      const script = scene.fixture("php/hello.php");
      const config = scene.daemonConfig({
        pools: {
          www: {
            listen: php.listen,
            command: ["php-cgi"],
            workers: 2,
            ...NO_HURRY,
            nice: -5,
            rlimit_files: 65_536,
            request_timeout: "10m",
            health: { script, expect: "hello", timeout: "10m" },
          },
          other: barePool(scene, bare, {
            listen: { address: bare.listen, owner: "nobody", group: "www-data", mode: "0660" },
          }),
        },
      });
      await started(scene, manager, config, more === "" ? "" : `[Service]\n${more}`);
      expect(await bodyOf(php, { script })).toContain("hello");
      const pid = await mainPid(manager);
      const [worker] = workersAt(bare.where);
      expect(statusField(worker!, "Uid").split(/\s+/)[0]).toBe("33");
      expect(statusField(pid, "Seccomp")).toBe("2");
      expect(statusField(pid, "NoNewPrivs")).toBe(more === "" ? "0" : "1");
      expect(statusField(pid, "CapBnd")).not.toBe("000001ffffffffff");
      expect(leadersAt(php.where).map(parentOf)).toEqual([pid]);

      const queue = { length: 0, limit: 511 };
      const atRest = { queue, workers: { wanted: 2, idle: 2, busy: 0 } };
      await eventually(
        async () => {
          const status = await scene.fcgivisor(["status", "--json", "-c", config]);
          expect(JSON.parse(status.stdout).pools).toMatchObject([atRest, atRest]);
          return true;
        },
        { what: "both pools are seen at rest" },
      );
      const reload = await manager.ctl("reload", UNIT);
      expect([reload.stderr, reload.code]).toEqual(["", 0]);

      // Without systemd's copies (another start, the same state file) the sockets come out of the workers.
      process.kill(await mainPid(manager), "SIGKILL");
      await servesAgain(manager);
      expect(await bodyOf(php, { script })).toContain("hello");
      expect(await bodyOf(bare, {})).toContain("hello");
      expect(logOf(scene)).not.toMatch(/ (error|alert) /);
      expect((await manager.ctl("stop", UNIT)).code).toBe(0);
      await closed(php);
      expect(existsSync(bare.listen)).toBe(false);
    },
  );
}

/** What a unit adds for `--takeover`, as its comment says. */
const DEBUGGER = "CapabilityBoundingSet=CAP_SYS_PTRACE\nSystemCallFilter=pidfd_getfd\n";

for (const [may, more] of Object.entries({ with: DEBUGGER, without: "" })) {
  behaviour(
    `without room in the store, and ${may} the right to take a socket out of a worker: it serves again`,
    REAL,
    async (scene) => {
      const dropIn = `[Service]\nFileDescriptorStoreMax=0\n${more}`;
      const { spot, manager } = await startedWithOnePool(scene, dropIn);
      const inodes = listenersAt(spot.where);
      const old = await workersReach(spot, 2);
      process.kill(await mainPid(manager), "SIGKILL");
      await servesAgain(manager);
      expect(await bodyOf(spot, {})).toContain("hello");
      expect(logOf(scene)).not.toContain("which systemd had stored");
      // Without it the old workers leave first, and the log says so.
      expect(logOf(scene).includes("reopened it after")).toBe(may === "without");
      if (may === "with") expect(listenersAt(spot.where)).toEqual(inodes);
      await eventually(() => !old.some(alive), { what: "the left-over workers are gone" });
    },
  );
}

behaviour(
  "without a state file, workers on the sockets that systemd kept are found and retired",
  REAL,
  async (scene) => {
    const { spot, manager } = await startedWithOnePool(scene, waitsAt(scene, "restart"));
    const workers = await workersReach(spot, 2);
    const restart = gate(scene, "restart");
    process.kill(await mainPid(manager), "SIGKILL");
    await restart.reached();
    unlinkSync(scene.path("run/state.json"));
    restart.open();
    await servesAgain(manager);
    await eventually(() => !workers.some(alive), { what: "the left-over workers are gone" });
    await workersReach(spot, 2);
    expect(await bodyOf(spot, {})).toContain("hello");
  },
);

behaviour(
  "an upgrade under systemd: same main process, no socket stored twice",
  REAL,
  async (scene) => {
    const dropIn = "[Service]\nWatchdogSec=1\n";
    const { manager, config } = await startedWithOnePool(scene, dropIn);
    const pid = await mainPid(manager);
    expect(await manager.show(UNIT, "NFileDescriptorStore")).toBe("1");
    const upgrade = await manager.inside(BINARY, "upgrade", "-c", config);
    expect([upgrade.stderr, upgrade.code]).toEqual(["", 0]);
    await eventually(
      async () =>
        logOf(scene).match(/is ready after/g)?.length === 2 &&
        (await manager.show(UNIT, "StatusText")).startsWith("serving: 1 pool, 2 workers"),
      { what: "it serves again" },
    );
    const sign = () => manager.show(UNIT, "WatchdogTimestampMonotonic");
    for (let signs = 0, last = await sign(); signs < 3; signs++) {
      const seen = last;
      const next = async () => ((last = await sign()) === seen ? null : last);
      await eventually(next, { what: "one more sign of life" });
    }
    expect(await mainPid(manager)).toBe(pid);
    expect(await manager.show(UNIT, "ActiveState")).toBe("active");
    expect(await manager.show(UNIT, "NRestarts")).toBe("0");
    expect(await manager.show(UNIT, "NFileDescriptorStore")).toBe("1");
  },
);

behaviour(
  "each pool has a control group below that of the unit, which systemd has delegated",
  { ...REAL, needs: [...REAL.needs, "php-cgi"] },
  async (scene) => {
    const [www, other] = [await tcpSpot(scene), await tcpSpot(scene)];
    const manager = await systemd(scene);
    const pools = { www: phpPool(www), other: phpPool(other) };
    const config = scene.daemonConfig({ pools });
    await started(scene, manager, config);
    const own = unifiedGroupOf(await mainPid(manager))!;
    expect(own).toEndWith(`/${UNIT}`);
    const inner = await manager.show(UNIT, "MainPID");
    for (const [pool, spot] of Object.entries({ www, other }))
      for (const pid of workersAt(spot.where))
        expect(unifiedGroupOf(pid)).toBe(`${own}/${controlGroupName(scene, inner, pool)}`);
    // What a script has left in a session of its own ends with its pool.
    const left = `<?php exec("setsid -f sleep 600 >/dev/null 2>&1"); echo "sleeps";`;
    expect(await bodyOf(www, { script: scene.write("www/left.php", left) })).toBe("sleeps");
    const sleeps = () =>
      allPids().some(
        (pid) => unifiedGroupOf(pid) === `${own}/${controlGroupName(scene, inner, "www")}`,
      );
    expect(sleeps()).toBe(true);
    scene.daemonConfig({ pools: { other: pools.other } });
    expect((await manager.ctl("reload", UNIT)).code).toBe(0);
    await eventually(() => !sleeps(), { what: "it has ended with its pool" });
    expect((await manager.ctl("stop", UNIT)).code).toBe(0);
    await closed(other);
  },
);

/** Two at the start, and nobody is parked again before the test is over. */
const DYNAMIC = {
  ...{ scaling: "dynamic", workers: 8, start_workers: 2, min_spare: 1, max_spare: 2 },
  idle_timeout: "1h",
};

forEachPhp(
  "without CAP_SYS_PTRACE it sees under the unit who is busy, idle or too long at it, parks, and upgrades",
  REAL,
  async (scene, php) => {
    const [www, load, short] = [await tcpSpot(scene), unixSpot(scene), unixSpot(scene, "short")];
    const manager = await systemd(scene);
    const config = scene.daemonConfig({
      pools: {
        www: php.pool(www, { no_new_privs: true }),
        load: php.pool(load, { no_new_privs: true, ...DYNAMIC }),
        short: php.pool(short, { no_new_privs: true, request_timeout: "800ms" }),
      },
    });
    await started(scene, manager, config);
    const pid = await mainPid(manager);
    expect(BigInt(`0x${statusField(pid, "CapEff")}`) & CAP_SYS_PTRACE).toBe(0n);
    expect(statusField(pid, "NoNewPrivs")).toBe("1");

    const held = await holdPhp(scene, www);
    const seen = { workers: { wanted: 2, idle: 1, busy: 1, unknown: 0 } };
    const parked = { workers: { wanted: 8, idle: 2, busy: 0, parked: 6, unknown: 0 } };
    const look = async () => {
      const status = await scene.fcgivisor(["status", "--json", "-c", config]);
      expect(JSON.parse(status.stdout).pools).toMatchObject([seen, parked, {}]);
      return true;
    };
    await eventually(look, { what: "who is busy, idle and parked is seen" });
    await held.finish();

    const endless = { script: scene.fixture("php/gate.php"), query: gate(scene).path };
    expect(await fcgi(short.where, endless).catch((error) => error)).toBeInstanceOf(Lost);
    await eventually(
      () =>
        /of pool short is killed: .*request_timeout is 800 ms; it was (sleep|run)/.test(
          logOf(scene),
        ),
      { what: "the log tells who was killed" },
    );

    const upgrade = await manager.inside(BINARY, "upgrade", "-c", config);
    expect([upgrade.stderr, upgrade.code]).toEqual(["", 0]);
    await divided(load, 2, 6);
    process.kill(pid, "SIGKILL");
    await servesAgain(manager);
    await divided(load, 2, 6);
    const script = scene.fixture("php/hello.php");
    for (const spot of [www, load, short])
      expect(await bodyOf(spot, { script })).toContain("hello");
    expect((await manager.ctl("reload", UNIT)).code).toBe(0);
    expect(logOf(scene)).not.toMatch(/ (error|alert) .*(socket|see)/);
  },
);

behaviour(
  "mounts of a pool's own work under the hardening of the unit",
  { ...REAL, needs: [...REAL.needs, "php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const manager = await systemd(scene);
    const pool = phpPool(spot, { private_tmp: true, read_only: true });
    const config = scene.daemonConfig({ pools: { www: pool } });
    await started(scene, manager, config, "");
    for (const pid of workersAt(spot.where)) {
      const mounts = procText(pid, "mountinfo").split("\n");
      expect(mounts.find((line) => line.includes(" / / "))).toContain(" / / ro,");
      expect(mounts.findLast((line) => line.includes(" /tmp "))).toContain("tmpfs");
    }
    expect((await manager.ctl("stop", UNIT)).code).toBe(0);
    await closed(spot);
  },
);
