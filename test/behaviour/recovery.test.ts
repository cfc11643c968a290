// The supervisor dies by kill -9, its workers serve on, and the next start takes the very sockets back
// out of them: no client notices. And all that can be in the way of it.

import { expect } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { allLeft, crash, recovered, startAgain, supervisorsOf } from "../helper/crash.ts";
import { fcgi, type FcgiRequest } from "../helper/fcgi.ts";
import { findProgram } from "../helper/packages.ts";
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
import { alive, descriptorsOf, leadersAt, listenersAt, workersAt } from "../helper/processes.ts";
import { BINARY, textOf, type Outcome, type Supervisor } from "../helper/program.ts";
import { behaviour, type Need, type Scene, WORKER_USER } from "../helper/scene.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

interface Kind {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly spot: (scene: Scene) => Promise<Spot>;
  readonly pool: (scene: Scene, spot: Spot) => Record<string, unknown>;
  readonly request: (scene: Scene) => FcgiRequest;
  readonly slow: (scene: Scene) => FcgiRequest;
}

const KINDS: readonly Kind[] = [
  {
    name: "a group of php-cgi on TCP",
    needs: ["php-cgi"],
    spot: (scene) => tcpSpot(scene),
    pool: (_scene, spot) => phpPool(spot, { workers: 3 }),
    request: (scene) => ({ script: scene.fixture("php/hello.php") }),
    slow: (scene) => ({ script: scene.fixture("php/slow.php"), query: "ms=2500" }),
  },
  {
    name: "single php-cgi on a Unix socket",
    needs: ["php-cgi"],
    spot: async (scene) => unixSpot(scene),
    pool: (_scene, spot) => phpPool(spot, { workers: 3, group_size: 1 }),
    request: (scene) => ({ script: scene.fixture("php/hello.php") }),
    slow: (scene) => ({ script: scene.fixture("php/slow.php"), query: "ms=2500" }),
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
    }),
    request: () => ({}),
    slow: () => ({ query: "2.5" }),
  },
  {
    name: "fcgiwrap on a Unix socket",
    needs: ["fcgiwrap"],
    spot: async (scene) => unixSpot(scene),
    pool: (_scene, spot) => ({
      listen: spot.listen,
      command: [findProgram("fcgiwrap")!],
      workers: 3,
    }),
    request: (scene) => ({ script: scene.fixture("cgi/hello.sh") }),
    slow: (scene) => ({ script: scene.fixture("cgi/hello.sh"), query: "2.5" }),
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
      const slow = fcgi(spot.where, kind.slow(scene));
      slow.catch(() => undefined);
      const holder = await inHand(spot);
      await underLoad(spot, kind.request(scene), async ({ further }) => {
        await crash(supervisor);
        await further(20);
        await recovered(scene, supervisor);
        expect(listenersAt(spot.where)).toEqual(sockets);
        expect(alive(holder)).toBe(true);
        expect((await slow).status).toBe(200);
        await allLeft(old);
        await further(10);
      });
      const now = await workersReach(spot, 3);
      expect(now.some((pid) => old.includes(pid))).toBe(false);
    },
  );
}

behaviour("start says that it took sockets back, and so does the log", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  await crash(supervisor);
  const { outcome } = await startAgain(scene, supervisor);
  expect(outcome.code).toBe(0);
  expect(outcome.stdout).toContain("earlier supervisor");
  expect(supervisor.log()).toMatch(/took the socket .* of pool www back/);
  const again = await supervisor.control("start");
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toContain("already running");
});

behaviour(
  "what the recovered service promises is kept: reload, restart, quit",
  PHP,
  async (scene) => {
    const spot = unixSpot(scene);
    const script = scene.fixture("php/hello.php");
    const first = await scene.start({ pools: { www: phpPool(spot) } });
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

behaviour("a pool that the config no longer has is drained and closed", PHP, async (scene) => {
  const stays = await tcpSpot(scene);
  const goes = [await tcpSpot(scene), unixSpot(scene, "gone.sock")] as const;
  const pools = { stays: phpPool(stays), a: phpPool(goes[0]), b: phpPool(goes[1]) };
  const supervisor = await scene.start({ pools });
  const script = scene.fixture("php/slow.php");
  const old = goes.flatMap(({ where }) => workersAt(where));
  const slow = goes.map((spot) => fcgi(spot.where, { script, query: "ms=1500" }));
  for (const spot of goes) await inHand(spot);
  await crash(supervisor);
  scene.rewrite({ pools: { stays: pools.stays } });
  await recovered(scene, supervisor);
  for (const answer of slow) expect((await answer).body).toContain("slept");
  await allLeft(old);
  for (const spot of goes) {
    await eventually(() => listenersAt(spot.where).length === 0, { what: `${spot.listen} closes` });
    await expect(fcgi(spot.where)).rejects.toMatchObject({ kind: "refused" });
  }
  expect(existsSync(goes[1].listen)).toBe(false);
  expect(await bodyOf(stays, { script, query: "ms=0" })).toContain("slept");
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
    await eventually(() => listenersAt(from.where).length === 0);
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
  readonly title: string;
  readonly does: (file: string) => void;
  readonly words: RegExp;
}

const DAMAGES: readonly Damage[] = [
  {
    title: "is not JSON",
    does: (file) => writeFileSync(file, "\0\xff{{{ nonsense"),
    words: /state file is not understood/,
  },
  {
    title: "was cut short",
    does: (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
    words: /state file is not understood/,
  },
  {
    title: "is empty",
    does: (file) => truncateSync(file, 0),
    words: /state file is not understood/,
  },
  {
    title: "is of a newer format",
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

for (const { title, does, words } of DAMAGES) {
  behaviour(`a state file that ${title}: words, no crash, and --takeover`, {}, async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    const old = await workersReach(spot, 2);
    const sockets = listenersAt(spot.where);
    await crash(supervisor);
    does(scene.path("run/state.json"));
    const refused = await refusedStart(scene, supervisor, spot);
    expect(refused.stderr).toContain("--takeover");
    expect(refused.stderr + supervisor.log()).toMatch(words);
    expect(refused.stderr).not.toMatch(/^\s+at /m);
    await recovered(scene, supervisor, "--takeover");
    expect(listenersAt(spot.where)).toEqual(sockets);
    await allLeft(old);
    await workersReach(spot, 2);
    expect(JSON.parse(textOf(scene.path("run/state.json")))).toMatchObject({ format: 1 });
  });
}

behaviour(
  "a state file that names sockets which are not there any more does no harm",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    const workers = await workersReach(spot, 2);
    await crash(supervisor);
    for (const pid of workers) process.kill(pid, "SIGKILL");
    await allLeft(workers);
    await eventually(() => listenersAt(spot.where).length === 0);
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
    const log = { file: scene.path("fcgivisor.log") };
    const config = scene.config({ pools, log });
    if (crashed) await crash(await scene.start({ pools }));
    for (let round = 0; round < 3; round++) {
      const both = await Promise.all([
        scene.fcgivisor(["start", "-c", config]),
        scene.fcgivisor(["start", "-c", config]),
      ]);
      const pid = Number(textOf(scene.path("run/fcgivisor.pid")));
      const logged = () => textOf(log.file);
      const supervisor = scene.follow(pid, config, scene.path("run/admin.sock"), logged);
      expect(both.some(({ code }) => code === 0)).toBe(true);
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
  const bystander = scene.spawn(["sleep", "60"]);
  const pidFile = scene.path("run/fcgivisor.pid");
  let supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  for (const stale of [String(bystander.pid), "4194305", "not a number", ""]) {
    await crash(supervisor);
    writeFileSync(pidFile, stale);
    const status = await supervisor.control("status");
    expect(status.code, `status with ${JSON.stringify(stale)}`).toBe(3);
    expect((await supervisor.control("logrotate")).code).toBe(3);
    supervisor = await recovered(scene, supervisor);
    expect(textOf(pidFile).trim()).toBe(String(supervisor.pid));
    expect(alive(bystander.pid)).toBe(true);
  }
});

behaviour(
  "a socket file that was removed while the supervisor was dead is bound anew",
  PHP,
  async (scene) => {
    const spot = unixSpot(scene);
    const script = scene.fixture("php/slow.php");
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    const old = await workersReach(spot, 2);
    const slow = fcgi(spot.where, { script, query: "ms=1500" });
    await inHand(spot);
    await crash(supervisor);
    rmSync(spot.listen);
    await recovered(scene, supervisor);
    expect(await bodyOf(spot, { script, query: "ms=0" })).toContain("slept");
    expect((await slow).body).toContain("slept");
    await allLeft(old);
    await workersReach(spot, 2);
    expect(listenersAt(spot.where).length).toBe(1);
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

behaviour(
  "ten times kill -9 and start, under load: nothing is lost, nothing gathers",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: phpPool(spot, { workers: 3 }) } });
    const sockets = listenersAt(spot.where);
    const descriptors: number[] = [];
    const report = await underLoad(spot, { script }, async ({ further }) => {
      for (let i = 0; i < 10; i++) {
        await crash(supervisor);
        await further(5);
        supervisor = await recovered(scene, supervisor);
        await workersReach(spot, 3);
        await eventually(() => leadersAt(spot.where).length === 1);
        descriptors.push(descriptorsOf(supervisor.pid).size);
      }
    });
    expect(report.ok).toBeGreaterThan(100);
    expect(listenersAt(spot.where)).toEqual(sockets);
    expect(descriptors.at(-1)!, descriptors.join()).toBeLessThanOrEqual(descriptors[0]! + 1);
  },
);

behaviour(
  "without the right to look into the workers, they are asked to leave, and the gap is told",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const log = scene.path("fcgivisor.log");
    const config = scene.config({ pools: { www: phpPool(spot, WORKER_USER) }, log: { file: log } });
    const blind = (...words: string[]) =>
      scene.command([
        "setpriv",
        "--bounding-set",
        "-sys_ptrace",
        "--",
        BINARY,
        ...words,
        "-c",
        config,
      ]);
    expect(await blind("start")).toMatchObject({ code: 0 });
    const status = await blind("status", "--json");
    process.kill((JSON.parse(status.stdout) as { pid: number }).pid, "SIGKILL");
    const again = await eventually(async () => {
      const outcome = await blind("start");
      return outcome.stdout.includes("already running") ? null : outcome;
    });
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain("had to be opened anew");
    expect(readFileSync(log, "utf8")).toContain("could not be taken back");
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
    expect(await blind("stop")).toMatchObject({ code: 0 });
  },
);

for (const word of ["stop", "quit"] as const) {
  behaviour(
    `${word} with the supervisor dead ends the workers that it left, and says so`,
    { needs: ["php-cgi"] },
    async (scene) => {
      const [spot, unix] = [await tcpSpot(scene), unixSpot(scene, "app.sock")];
      const pools = { www: phpPool(spot, { workers: 3 }), app: barePool(scene, unix) };
      const supervisor = await scene.start({ pools });
      await workersReach(spot, 3);
      const script = scene.fixture("php/slow.php");
      const slow = fcgi(spot.where, { script, query: "ms=2000" }).catch(() => "cut");
      const busy = await inHand(spot);
      supervisor.signal("SIGKILL");
      await supervisor.gone();

      const status = await supervisor.control("status");
      expect(status).toMatchObject({ code: 3 });
      expect(status.stderr).toContain(
        `it has died, and 6 processes that it left still serve ${spot.listen}, ${unix.listen}`,
      );
      expect(await supervisor.control("reload")).toMatchObject({ code: 3 });
      const upgrade = await supervisor.control("upgrade");
      expect(upgrade).toMatchObject({ code: 3 });
      expect(upgrade.stderr).toContain("it has died, and 6 processes");
      expect(await workersReach(spot, 3)).toContain(busy);

      const ended = await supervisor.control(word);
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(ended.stdout).toContain("the supervisor had died; 6 processes of it served on");
      const answer = await slow;
      if (word === "quit") expect(answer).toMatchObject({ body: `slept ${busy}` });
      expect(listenersAt(spot.where)).toEqual([]);
      expect(existsSync(unix.listen)).toBe(false);
      const again = await supervisor.control(word);
      expect(again).toMatchObject({ code: 3 });
      expect(again.stderr).not.toContain("died");
    },
  );
}

behaviour(
  "stop with the supervisor dead ends what scripts left in the background, too, and frees the address",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pools = { www: phpPool(spot) };
    const supervisor = await scene.start({ pools });
    const script = scene.write(
      "www/background.php",
      `<?php exec("setsid -f sleep 60 >/dev/null 2>&1"); echo "sleeps";`,
    );
    expect(await bodyOf(spot, { script })).toBe("sleeps");
    supervisor.signal("SIGKILL");
    await supervisor.gone();
    expect(await supervisor.control("stop")).toMatchObject({ code: 0, stderr: "" });
    expect(listenersAt(spot.where)).toEqual([]);
    const again = await scene.start({ pools });
    expect(await again.control("stop")).toMatchObject({ code: 0 });
  },
);
