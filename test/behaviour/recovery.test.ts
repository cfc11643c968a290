// The supervisor dies by kill -9, its workers go on serving, and the next start takes the very sockets back
// out of them: no client notices. And all that can be in the way of it.

import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { allLeft, crash, recovered, startAgain, supervisorsOf } from "../helper/crash.ts";
import { descriptorsAtRest, descriptorsFallTo } from "../helper/descriptors.ts";
import { fcgi, Lost, type FcgiRequest, type FcgiResponse, type Loss } from "../helper/fcgi.ts";
import { hold, holdPhp } from "../helper/gate.ts";
import { findProgram } from "../helper/packages.ts";
import { forEachPhp, type Php, PHP_FPM } from "../helper/php.ts";
import {
  barePool,
  bodyOf,
  closed,
  NO_HURRY,
  phpPool,
  renewed,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import { alive, commandOf, leadersAt, listenersAt, workersAt } from "../helper/processes.ts";
import { BINARY, textOf, type Outcome, type Supervisor } from "../helper/program.ts";
import { behaviour, WITHOUT_PTRACE, WORKER_USER, type Need, type Scene } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

interface Kind {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly spot: (scene: Scene) => Promise<Spot>;
  readonly pool: (scene: Scene, spot: Spot) => Record<string, unknown>;
  readonly request: (scene: Scene) => FcgiRequest;
  /** One that waits at its gate. */
  readonly gated: (scene: Scene) => Omit<FcgiRequest, "query">;
}

const KINDS: readonly Kind[] = [
  {
    name: "a group of php-cgi on TCP",
    needs: ["php-cgi"],
    spot: (scene) => tcpSpot(scene),
    pool: (_scene, spot) => phpPool(spot, { workers: 3 }),
    request: (scene) => ({ script: scene.fixture("php/hello.php") }),
    gated: (scene) => ({ script: scene.fixture("php/gate.php") }),
  },
  {
    name: "a group of php-fpm on TCP",
    needs: ["php-fpm"],
    spot: (scene) => tcpSpot(scene),
    pool: (_scene, spot) => PHP_FPM.pool(spot, { workers: 3 }),
    request: (scene) => ({ script: scene.fixture("php/hello.php") }),
    gated: (scene) => ({ script: scene.fixture("php/gate.php") }),
  },
  {
    name: "single php-cgi on a Unix socket",
    needs: ["php-cgi"],
    spot: async (scene) => unixSpot(scene),
    pool: (_scene, spot) => phpPool(spot, { workers: 3, group_size: 1 }),
    request: (scene) => ({ script: scene.fixture("php/hello.php") }),
    gated: (scene) => ({ script: scene.fixture("php/gate.php") }),
  },
  {
    name: "Perl's FCGI on TCP, IPv6",
    needs: ["perl-fcgi", "ipv6"],
    spot: (scene) => tcpSpot(scene, "::1"),
    pool: (scene, spot) => ({
      listen: spot.listen,
      command: [scene.fixture("fcgi/hello.pl")],
      runtime: "libfcgi",
      workers: 3,
      ...NO_HURRY,
    }),
    request: () => ({}),
    gated: () => ({}),
  },
  {
    name: "fcgiwrap on a Unix socket",
    needs: ["fcgiwrap"],
    spot: async (scene) => unixSpot(scene),
    pool: (_scene, spot) => ({
      listen: spot.listen,
      command: [findProgram("fcgiwrap")!],
      workers: 3,
      ...NO_HURRY,
    }),
    request: (scene) => ({ script: scene.fixture("cgi/hello.sh") }),
    gated: (scene) => ({ script: scene.fixture("cgi/hello.sh") }),
  },
];

for (const kind of KINDS) {
  behaviour(
    `kill -9 of the supervisor, then start: no request is lost: ${kind.name}`,
    { needs: kind.needs },
    async (scene) => {
      const spot = await kind.spot(scene);
      const supervisor = await scene.start({ pools: { app: kind.pool(scene, spot) } });
      const old = await workersReach(spot, 3);
      const sockets = listenersAt(spot.where);
      expect(sockets.length).toBe(1);
      const held = await hold(scene, spot, kind.gated(scene));
      await underLoad(spot, kind.request(scene), async ({ further }) => {
        await crash(supervisor);
        await further(20);
        await recovered(scene, supervisor);
        expect(listenersAt(spot.where)).toEqual(sockets);
        await renewed(spot, { count: 3, old, kept: [held.worker] });
        held.open();
        expect((await held.answer).status).toBe(200);
        await allLeft(old);
        await further(10);
      });
      await renewed(spot, { count: 3, old });
    },
  );
}

behaviour("start says that it took sockets back, and so does the log", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  await crash(supervisor);
  const { outcome } = await startAgain(scene, supervisor);
  expect(outcome.code).toBe(0);
  expect(outcome.stdout).toContain("earlier supervisor");
  await supervisor.logged(/took over the socket .* of pool www from/);
  const again = await supervisor.control("start");
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toContain("already running");
});

forEachPhp(
  "what the recovered service promises is kept: reload, restart, quit",
  {},
  async (scene, php) => {
    const script = scene.fixture("php/hello.php");
    const { spot, supervisor: first } = await php.start(scene, {}, unixSpot(scene));
    const inode = statSync(spot.listen).ino;
    await crash(first);
    const supervisor = await recovered(scene, first);
    expect(statSync(spot.listen).ino).toBe(inode);
    await underLoad(spot, { script }, async () => {
      expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
      expect(await supervisor.control("restart")).toMatchObject({ code: 0 });
    });
    await workersReach(spot, 2);
    expect(leadersAt(spot.where).length).toBe(1);
    expect(await supervisor.control("quit")).toMatchObject({ code: 0 });
    await supervisor.gone();
    expect(existsSync(spot.listen)).toBe(false);
    expect(existsSync(scene.path("run"))).toBe(false);
  },
);

forEachPhp("a pool that the config no longer has is drained and closed", {}, async (scene, php) => {
  const stays = await tcpSpot(scene);
  const goes = [await tcpSpot(scene), unixSpot(scene, "gone.sock")] as const;
  const pools = { stays: php.pool(stays), a: php.pool(goes[0]), b: php.pool(goes[1]) };
  const supervisor = await scene.start({ pools });
  const old = (await Promise.all(goes.map((spot) => workersReach(spot, 2)))).flat();
  const held = await Promise.all(goes.map((spot) => holdPhp(scene, spot)));
  const busy = held.map(({ worker }) => worker);
  await crash(supervisor);
  scene.rewrite({ pools: { stays: pools.stays } });
  await recovered(scene, supervisor);
  await allLeft(old.filter((pid) => !busy.includes(pid)));
  expect(busy.every(alive)).toBe(true);
  for (const { finish } of held) await finish();
  await allLeft(busy);
  for (const spot of goes) {
    await closed(spot);
    await expect(fcgi(spot.where)).rejects.toMatchObject({ kind: "refused" });
  }
  expect(existsSync(goes[1].listen)).toBe(false);
  expect(await bodyOf(stays, { script: scene.fixture("php/hello.php") })).toContain("hello");
});

behaviour(
  "a pool that changed its address meanwhile: the old one ends, the new one begins",
  {},
  async (scene) => {
    const from = await tcpSpot(scene);
    const to = unixSpot(scene, "moved.sock");
    const supervisor = await scene.start({ pools: { www: barePool(scene, from) } });
    const old = await workersReach(from, 2);
    await crash(supervisor);
    scene.rewrite({ pools: { www: barePool(scene, to) } });
    await recovered(scene, supervisor);
    expect(await bodyOf(to, {})).toContain("hello");
    await allLeft(old);
    await closed(from);
  },
);

/** A start that must not succeed, and must leave the old workers as they are. */
async function refusedStart(scene: Scene, dead: Supervisor, spot: Spot): Promise<Outcome> {
  const before = workersAt(spot.where);
  const { outcome } = await startAgain(scene, dead);
  expect(outcome, outcome.stdout).toMatchObject({ code: 1 });
  expect(workersAt(spot.where)).toEqual(before);
  expect(await bodyOf(spot, {})).toContain("hello");
  return outcome;
}

for (const [name, place] of [
  ["TCP", (scene: Scene) => tcpSpot(scene)],
  ["a Unix socket", async (scene: Scene) => unixSpot(scene)],
] as const) {
  behaviour(
    `without a state file start names the holder, and --takeover takes over: ${name}`,
    {},
    async (scene) => {
      const spot = await place(scene);
      const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
      const old = await workersReach(spot, 2);
      const sockets = listenersAt(spot.where);
      await underLoad(spot, {}, async ({ further }) => {
        await crash(supervisor);
        rmSync(scene.path("run/state.json"));
        const refused = await refusedStart(scene, supervisor, spot);
        expect(refused.stderr).toContain(spot.listen);
        expect(refused.stderr).toContain("--takeover");
        expect(old.some((pid) => refused.stderr.includes(String(pid)))).toBe(true);
        await recovered(scene, supervisor, "--takeover");
        expect(listenersAt(spot.where)).toEqual(sockets);
        await allLeft(old);
        await further(5);
      });
      await workersReach(spot, 2);
    },
  );
}

interface Damage {
  readonly what: string;
  readonly does: (file: string) => void;
  readonly words: RegExp;
}

const DAMAGES: readonly Damage[] = [
  {
    what: "not JSON",
    does: (file) => writeFileSync(file, "\0\xff{{{ nonsense"),
    words: /state file is not understood/,
  },
  {
    what: "cut short",
    does: (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
    words: /state file is not understood/,
  },
  {
    what: "empty",
    does: (file) => truncateSync(file, 0),
    words: /state file is not understood/,
  },
  {
    what: "of a newer format",
    does: (file) => {
      const state = JSON.parse(readFileSync(file, "utf8")) as { format: number };
      writeFileSync(
        file,
        JSON.stringify({ ...state, format: state.format + 1, version: "77.0.1" }),
      );
    },
    words: /newer fcgivisor \(77\.0\.1/,
  },
];

behaviour(
  "a state file that cannot be read: a message, no crash, and --takeover",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    let supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    const sockets = listenersAt(spot.where);
    let old = await workersReach(spot, 2);
    for (const { what, does, words } of DAMAGES) {
      await crash(supervisor);
      const before = supervisor.log().length;
      does(scene.path("run/state.json"));
      const { stderr } = await refusedStart(scene, supervisor, spot);
      expect(stderr, what).toContain("--takeover");
      expect(stderr + supervisor.log().slice(before), what).toMatch(words);
      expect(stderr, what).not.toMatch(/^\s+at /m);
      supervisor = await recovered(scene, supervisor, "--takeover");
      expect(listenersAt(spot.where), what).toEqual(sockets);
      old = await renewed(spot, { count: 2, old });
      expect(JSON.parse(textOf(scene.path("run/state.json"))), what).toMatchObject({ format: 1 });
    }
  },
);

behaviour(
  "a state file that names sockets which are not there any more does no harm",
  {},
  async (scene) => {
    const { spot, supervisor, workers } = await startBare(scene);
    await crash(supervisor);
    for (const pid of workers) process.kill(pid, "SIGKILL");
    await allLeft(workers);
    await closed(spot);
    const { outcome } = await startAgain(scene, supervisor);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.stdout).not.toContain("earlier supervisor");
    expect(await bodyOf(spot, {})).toContain("hello");
  },
);

for (const [title, crashed] of [
  ["on a clean machine", false],
  ["after a crash", true],
] as const) {
  behaviour(`two starts in a race end with one supervisor: ${title}`, {}, async (scene) => {
    const spot = await tcpSpot(scene);
    const pools = { www: barePool(scene, spot) };
    const config = scene.daemonConfig({ pools });
    for (let round = 0; round < 2; round++) {
      if (crashed) await crash(await scene.start({ pools }));
      const both = await Promise.all([
        scene.fcgivisor(["start", "-c", config]),
        scene.fcgivisor(["start", "-c", config]),
      ]);
      const supervisor = scene.followDaemon(config);
      const { pid } = supervisor;
      expect(
        both.filter(({ stdout }) => stdout.includes(`started as process ${pid},`)).length,
      ).toBe(1);
      for (const { code, stdout, stderr } of both)
        if (code !== 0) expect(stdout + stderr).toMatch(/already running|runs already|is running/);
      await eventually(() => supervisorsOf(config).length === 1);
      expect(supervisorsOf(config)).toEqual([pid]);
      await workersReach(spot, 2);
      expect(await bodyOf(spot, {})).toContain("hello");
      expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
      await supervisor.gone();
    }
  });
}

behaviour("a stale pid file is no obstacle, whoever has that number now", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const bystander = scene.spawn(["sleep", "infinity"]);
  const pidFile = scene.path("run/fcgivisor.pid");
  let supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  for (const stale of [String(bystander.pid), "4194305", "not a number", ""]) {
    await crash(supervisor);
    writeFileSync(pidFile, stale);
    const asked = ["status", "logrotate"].map((word) => supervisor.control(word));
    const codes = (await Promise.all(asked)).map(({ code }) => code);
    expect(codes, `with ${JSON.stringify(stale)}`).toEqual([3, 3]);
    supervisor = await recovered(scene, supervisor);
    expect(textOf(pidFile).trim()).toBe(String(supervisor.pid));
    expect(alive(bystander.pid)).toBe(true);
  }
});

forEachPhp(
  "a socket file that was removed while the supervisor was dead is bound again, while a request on the old one goes on",
  {},
  async (scene, php) => {
    const spot = unixSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: php.pool(spot) } });
    let old = await workersReach(spot, 2);
    const held = await holdPhp(scene, spot);
    await crash(supervisor);
    rmSync(spot.listen);
    // The second time its successor dies, whose file is there.
    for (let i = 0; i < 2; i++) {
      supervisor = await recovered(scene, supervisor);
      expect(await bodyOf(spot, { script })).toContain("hello");
      old = await renewed(spot, { count: 2, old, kept: [held.worker] });
      expect(listenersAt(spot.where).length).toBe(2);
      if (i === 0) await crash(supervisor);
      old.push(held.worker);
    }
    await held.finish();
    await allLeft([held.worker]);
    await eventually(() => listenersAt(spot.where).length === 1, { what: "one socket is left" });
    expect(await bodyOf(spot, { script })).toContain("hello");
  },
);

behaviour(
  "a start that fails after a crash leaves the old workers serving, and can be tried again",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const other = unixSpot(scene);
    const pools = { www: barePool(scene, spot), other: barePool(scene, other) };
    const supervisor = await scene.start({ pools });
    const sockets = [...listenersAt(spot.where), ...listenersAt(other.where)];
    const old = [...(await workersReach(spot, 2)), ...(await workersReach(other, 2))];
    await underLoad(spot, {}, async ({ further }) => {
      await crash(supervisor);
      const broken = [
        { www: barePool(scene, spot, {}, "die"), other: pools.other },
        { www: pools.www, other: { ...pools.other, command: ["/nonexistent"] } },
        { www: pools.www, other: { ...pools.other, workers: -1 } },
      ];
      for (const bad of broken) {
        scene.rewrite({ pools: bad });
        await refusedStart(scene, supervisor, spot);
        expect(await bodyOf(other, {})).toContain("hello");
        expect(old.every(alive)).toBe(true);
        expect(supervisorsOf(supervisor.configFile)).toEqual([]);
      }
      scene.rewrite({ pools });
      await recovered(scene, supervisor);
      expect([...listenersAt(spot.where), ...listenersAt(other.where)]).toEqual(sockets);
      await allLeft(old);
      await further(5);
    });
  },
);

forEachPhp(
  "six times kill -9 and start, under load: nothing is lost, nothing gathers",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: php.pool(spot, { workers: 3 }) } });
    const sockets = listenersAt(spot.where);
    let descriptors = 0;
    await underLoad(spot, { script }, async ({ further }) => {
      for (let i = 0; i < 6; i++) {
        await crash(supervisor);
        await further(10);
        supervisor = await recovered(scene, supervisor);
        await workersReach(spot, 3);
        await eventually(() => leadersAt(spot.where).length === 1);
        if (i === 0) descriptors = await descriptorsAtRest(supervisor);
      }
    });
    expect(listenersAt(spot.where)).toEqual(sockets);
    await descriptorsFallTo(supervisor, descriptors);
  },
);

behaviour(
  "without the right to look into the workers, they are asked to leave, and the gap is told",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.daemonConfig({ pools: { www: phpPool(spot, WORKER_USER) } });
    const blind = (...words: string[]) =>
      scene.command([...WITHOUT_PTRACE, BINARY, ...words, "-c", config]);
    expect(await blind("start")).toMatchObject({ code: 0 });
    const { pid } = JSON.parse((await blind("status", "--json")).stdout) as { pid: number };
    process.kill(pid, "SIGKILL");
    await allLeft([pid]);
    const again = await blind("start");
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain("had to be reopened");
    expect(textOf(scene.path("fcgivisor.log"))).toContain("could not take over");
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
    expect(await blind("stop")).toMatchObject({ code: 0 });
  },
);

/** A supervisor that has died and left two pools, of one of which a worker is busy. */
async function leftBehind(scene: Scene, php: Php) {
  const [spot, unix] = [await tcpSpot(scene), unixSpot(scene, "app.sock")];
  const pools = { www: php.pool(spot, { workers: 3 }), app: barePool(scene, unix) };
  const supervisor = await scene.start({ pools });
  const workers = [...(await workersReach(spot, 3)), ...(await workersReach(unix, 2))];
  const held = await holdPhp(scene, spot);
  await crash(supervisor);
  return { spot, unix, supervisor, held, idle: workers.filter((pid) => pid !== held.worker) };
}

forEachPhp(
  "with the supervisor dead, other commands say what it left and leave it alone",
  {},
  async (scene, php) => {
    const { spot, unix, supervisor, held, idle } = await leftBehind(scene, php);
    for (const word of ["status", "reload", "upgrade"]) {
      const { code, stderr } = await supervisor.control(word);
      expect(code, word).toBe(3);
      expect(stderr).toContain(
        `it has died, and 6 left-over processes still serve ${spot.listen} and ${unix.listen}`,
      );
    }
    expect([held.worker, ...idle].every(alive)).toBe(true);
    await held.finish();
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  },
);
for (const word of ["stop", "quit"] as const) {
  forEachPhp(
    `${word} with the supervisor dead ends the workers that it left, and says so`,
    {},
    async (scene, php) => {
      const { spot, unix, supervisor, held, idle } = await leftBehind(scene, php);
      const ending = supervisor.control(word);
      await allLeft(idle);
      if (word === "quit") {
        expect(alive(held.worker)).toBe(true);
        await held.finish();
      } else {
        expect(await lossOf(held.answer)).toMatch(/^(cut|reset)$/);
      }
      const ended = await ending;
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(ended.stdout).toContain("the supervisor had died; 6 left-over processes still served");
      expect(alive(held.worker)).toBe(false);
      expect(listenersAt(spot.where)).toEqual([]);
      expect(existsSync(unix.listen)).toBe(false);
      const again = await supervisor.control(word);
      expect(again).toMatchObject({ code: 3 });
      expect(again.stderr).not.toContain("died");
    },
  );
}

async function lossOf(answer: Promise<FcgiResponse>): Promise<Loss> {
  const error = await answer.then(
    ({ body }) => `answered: ${body}`,
    (lost: unknown) => lost,
  );
  if (error instanceof Lost) return error.kind;
  throw error;
}

forEachPhp(
  "stop with the supervisor dead ends what scripts left in the background, too, and frees the address",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const pools = { www: php.pool(spot) };
    const supervisor = await scene.start({ pools });
    const script = scene.write(
      "www/background.php",
      `<?php exec("setsid -f sleep infinity >/dev/null 2>&1"); echo "sleeps";`,
    );
    expect(await bodyOf(spot, { script })).toBe("sleeps");
    const sleepers = await eventually(() => {
      const pids = workersAt(spot.where).filter((pid) => commandOf(pid)[0] === "sleep");
      return pids.length === 1 ? pids : null;
    });
    await crash(supervisor);
    expect(sleepers.every(alive)).toBe(true);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0, stderr: "" });
    expect(sleepers.some(alive)).toBe(false);
    expect(listenersAt(spot.where)).toEqual([]);
    const again = await scene.start({ pools });
    expect(await again.control("stop")).toMatchObject({ code: 0 });
  },
);

behaviour(
  "with --socket alone, what a killed supervisor left is found, wherever its state is",
  {},
  async (scene) => {
    const spot = unixSpot(scene, "app.sock");
    mkdirSync(scene.path("elsewhere"));
    const socket = scene.path("elsewhere/control.sock");
    const settings = { admin: { socket }, supervisor: { state_dir: scene.path("run") } };
    const config = scene.config({ ...settings, pools: { app: barePool(scene, spot) } });
    expect((await scene.fcgivisor(["start", "-c", config, "-q"])).code).toBe(0);
    const status = async () =>
      JSON.parse((await scene.fcgivisor(["status", "--json", "--socket", socket])).stdout);
    const { pid } = (await status()) as { pid: number };
    const workers = await workersReach(spot, 2);
    process.kill(pid, "SIGKILL");
    await eventually(() => !alive(pid), { what: "the supervisor is gone" });
    const told = await scene.fcgivisor(["status", "--socket", socket]);
    expect(told).toMatchObject({ code: 3, stderr: expect.stringContaining("still serve") });
    expect((await scene.fcgivisor(["stop", "--socket", socket])).code).toBe(0);
    expect(workers.filter(alive)).toEqual([]);
    rmSync(scene.path("run/fcgivisor.pid"), { force: true });
  },
);
