// Reload: nothing lost, nobody stalled, and a service that a bad config cannot break.

import { expect } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { load } from "../helper/load.ts";
import { nginx } from "../helper/nginx.ts";
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
import type { Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, type Settings } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

/** `start`s the settings; the returned function writes changed ones into the same config file. */
async function started(scene: Scene, settings: Settings) {
  const supervisor = await scene.start(settings);
  const log = { file: scene.path("fcgivisor.log") };
  const change = (changed: Settings): string => scene.config({ ...changed, log });
  return { supervisor, change };
}

/** Waits until the spot is served by `count` workers, none of them among `old`. */
async function renewed(spot: Spot, count: number, old: readonly number[]): Promise<number[]> {
  return eventually(
    () => {
      const pids = workersAt(spot.where);
      return pids.length === count && !pids.some((pid) => old.includes(pid)) ? pids : null;
    },
    { what: `${count} new workers at ${spot.listen}` },
  );
}

async function reloadFails(supervisor: Supervisor, ...words: string[]): Promise<string> {
  const outcome = await supervisor.control("reload", ...words);
  expect(outcome.code, outcome.stdout).toBe(1);
  return outcome.stderr;
}

behaviour(
  "2,000 requests through nginx while 20 reloads run: none is lost",
  { needs: ["php-cgi", "nginx"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const listen = { address: spot.listen, mode: "0666" };
    scene.fixture("php/hello.php");
    const supervisor = await scene.start({ pools: { www: phpPool(spot, { listen, workers: 3 }) } });
    const front = await nginx(scene, { to: spot.where, root: scene.path("www/php") });
    const inode = statSync(spot.listen).ino;
    const running = load({
      rate: 160,
      count: 2_000,
      send: async (i) => {
        const page = await front.get(`/hello.php?name=${i}`);
        if (page.body !== `hello ${i}`) throw new Error(`wrong page: ${page.body.slice(0, 80)}`);
      },
    });
    for (let i = 0; i < 20; i++) {
      expect(await supervisor.control("reload"), `reload ${i}`).toMatchObject({ code: 0 });
    }
    const report = await running;
    expect(report.lost, report.messages.join("\n")).toEqual({});
    expect(report.ok).toBe(2_000);
    expect(statSync(spot.listen).ino).toBe(inode);
    await workersReach(spot, 3);
    expect(leadersAt(spot.where).length).toBe(1);
  },
);

behaviour(
  "many reloads leak no descriptor and no process",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    const before = await eventually(() => descriptorsOf(supervisor.pid).size);
    for (let i = 0; i < 10; i++) await supervisor.control("reload");
    await eventually(() => descriptorsOf(supervisor.pid).size <= before, {
      what: `no more than ${before} descriptors`,
    });
    await workersReach(spot, 2);
    expect(leadersAt(spot.where).length).toBe(1);
  },
);

behaviour("a reload brings the new php.ini into service", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/version.php");
  const ini = scene.write("php.ini", 'user_agent = "one"\n');
  const supervisor = await scene.start({ pools: { www: phpPool(spot, { php: { ini } }) } });
  expect(await bodyOf(spot, { script })).toBe("one");
  scene.write("php.ini", 'user_agent = "two"\n');
  expect(await bodyOf(spot, { script })).toBe("one");
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  for (let i = 0; i < 6; i++) expect(await bodyOf(spot, { script })).toBe("two");
});

behaviour("php defines reach PHP as they are written", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/version.php");
  const odd = `a 'b' "c" (d); $e & \${PATH} | f!`;
  const defines = { user_agent: odd, sendmail_path: "/usr/sbin/sendmail -t -i" };
  await scene.run({ pools: { www: phpPool(spot, { php: { defines } }) } });
  expect(await bodyOf(spot, { script, query: "name=user_agent" })).toBe(odd);
  expect(await bodyOf(spot, { script, query: "name=sendmail_path" })).toBe(
    "/usr/sbin/sendmail -t -i",
  );
});

behaviour("a php.ini with a syntax error is refused beforehand", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/version.php");
  const ini = scene.write("php.ini", 'user_agent = "one"\n');
  const supervisor = await scene.start({ pools: { www: phpPool(spot, { php: { ini } }) } });
  const before = await workersReach(spot, 2);
  scene.write("php.ini", 'user_agent = "two"\nmemory_limit = (128M\n');
  const said = await reloadFails(supervisor);
  expect(said).toContain("php.ini");
  expect(said).toMatch(/syntax error/i);
  expect(await workersReach(spot, 2)).toEqual(before);
  expect(await bodyOf(spot, { script })).toBe("one");
  expect((await supervisor.control("check")).code).toBe(1);
});

behaviour(
  "a broken config is refused, with its line, and nothing is touched",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const { supervisor } = await started(scene, { pools: { www: barePool(scene, spot) } });
    const before = await workersReach(spot, 2);
    writeFileSync(supervisor.configFile, '[pools.www]\nlisten = "127.0.0.1:9\n');
    expect(await reloadFails(supervisor)).toContain("fcgivisor.toml:2");
    expect(await workersReach(spot, 2)).toEqual(before);
    expect(await bodyOf(spot, {})).toContain("hello");
  },
);

behaviour(
  "a generation that does not come up leaves the old in service, and its last words are shown",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const { supervisor, change } = await started(scene, { pools: { www: barePool(scene, spot) } });
    const before = await workersReach(spot, 2);
    change({ pools: { www: barePool(scene, spot, {}, "die") } });
    const running = load({ rate: 50, count: 75, send: () => bodyOf(spot, {}) });
    const began = performance.now();
    const said = await reloadFails(supervisor);
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(said).toContain("www");
    expect(said).toContain("last words of");
    expect((await running).lost).toEqual({});
    expect(await workersReach(spot, 2)).toEqual(before);
    change({ pools: { www: barePool(scene, spot) } });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await renewed(spot, 2, before);
  },
);

behaviour("a generation that hangs is given up after start_timeout", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const { supervisor, change } = await started(scene, { pools: { www: barePool(scene, spot) } });
  const before = await workersReach(spot, 2);
  change({ pools: { www: barePool(scene, spot, { start_timeout: "600ms" }, "hang") } });
  expect(await reloadFails(supervisor)).toContain("start_timeout");
  await eventually(() => workersAt(spot.where).length === 2);
  expect(await workersReach(spot, 2)).toEqual(before);
});

behaviour("one pool's failure leaves every pool as it was", {}, async (scene) => {
  const good = await tcpSpot(scene);
  const bad = await tcpSpot(scene);
  const fresh = await tcpSpot(scene);
  const { supervisor, change } = await started(scene, {
    pools: { good: barePool(scene, good), bad: barePool(scene, bad) },
  });
  const goodBefore = await workersReach(good, 2);
  const badBefore = await workersReach(bad, 2);
  change({
    pools: {
      good: barePool(scene, good, { env: { NEW: "1" } }),
      bad: barePool(scene, bad, {}, "die"),
      fresh: barePool(scene, fresh),
    },
  });
  expect(await reloadFails(supervisor)).toContain("bad");
  await eventually(() => listenersAt(fresh.where).length === 0);
  expect(await workersReach(good, 2)).toEqual(goodBefore);
  expect(await workersReach(bad, 2)).toEqual(badBefore);
});

behaviour("pools are added, removed and re-addressed", {}, async (scene) => {
  const stays = await tcpSpot(scene);
  const goes = await tcpSpot(scene);
  const from = await tcpSpot(scene);
  const to = unixSpot(scene, "moved.sock");
  const comes = await tcpSpot(scene);
  const { supervisor, change } = await started(scene, {
    pools: {
      stays: barePool(scene, stays),
      goes: barePool(scene, goes),
      moves: barePool(scene, from),
    },
  });
  change({
    pools: {
      stays: barePool(scene, stays),
      moves: barePool(scene, to),
      comes: barePool(scene, comes),
    },
  });
  const plan = await supervisor.control("reload", "--dry-run");
  expect(plan.code).toBe(0);
  for (const name of ["goes", "moves", "comes", to.listen]) expect(plan.stdout).toContain(name);
  expect(listenersAt(goes.where).length).toBe(1);
  expect(existsSync(to.listen)).toBe(false);

  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  for (const spot of [stays, to, comes]) expect(await bodyOf(spot, {})).toContain("hello");
  for (const spot of [goes, from]) {
    expect(listenersAt(spot.where)).toEqual([]);
    await expect(fcgi(spot.where)).rejects.toMatchObject({ kind: "refused" });
  }
});

behaviour("a re-addressed pool loses nothing at the old address", {}, async (scene) => {
  const from = await tcpSpot(scene);
  const to = await tcpSpot(scene);
  const { supervisor, change } = await started(scene, { pools: { www: barePool(scene, from) } });
  await workersReach(from, 2);
  const slow = fcgi(from.where, { query: "1" });
  await inHand(from);
  change({ pools: { www: barePool(scene, to) } });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect((await slow).body).toContain("hello");
  expect(await bodyOf(to, {})).toContain("hello");
  expect(listenersAt(from.where)).toEqual([]);
});

behaviour(
  "a new address that is taken fails the reload, and the old one serves on",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const taken = await tcpSpot(scene);
    const { supervisor, change } = await started(scene, {
      pools: { www: barePool(scene, spot), other: barePool(scene, taken) },
    });
    const foreign = await scene.path("foreign.sock");
    const code =
      "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1);";
    const squatter = scene.spawn(["perl", "-e", `${code} sleep 60`, foreign]);
    await eventually(() => existsSync(foreign));
    change({
      pools: {
        www: barePool(scene, { where: { path: foreign }, listen: foreign }),
        other: barePool(scene, taken),
      },
    });
    const said = await reloadFails(supervisor);
    expect(said).toContain(foreign);
    expect(said).toContain(String(squatter.pid));
    expect(await bodyOf(spot, {})).toContain("hello");
    squatter.kill("SIGKILL");
    await squatter.exited;
    scene.atEnd(() => scene.command(["rm", "-f", foreign]).then(() => undefined));
  },
);

behaviour("a long request finishes and delays nobody else", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const slowScript = scene.fixture("php/slow.php");
  const script = scene.fixture("php/hello.php");
  const supervisor = await scene.start({ pools: { www: phpPool(spot, { workers: 3 }) } });
  await workersReach(spot, 3);
  const slow = fcgi(spot.where, { script: slowScript, query: "ms=6000" });
  const busy = await inHand(spot);
  const reload = supervisor.control("reload");
  const report = await load({ rate: 100, count: 200, send: () => bodyOf(spot, { script }) });
  expect(report.lost, report.messages.join("\n")).toEqual({});
  expect(report.p99).toBeLessThan(1_000 * 4);
  expect((await slow).body).toBe(`slept ${busy}`);
  const outcome = await reload;
  expect(outcome).toMatchObject({ code: 0 });
  expect(outcome.ms).toBeGreaterThan(1_500);
  expect(alive(busy)).toBe(false);
});

behaviour(
  "--no-wait returns when the new workers serve, the old still draining",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    await workersReach(spot, 2);
    const slow = fcgi(spot.where, { query: "2.5" });
    const busy = await inHand(spot);
    const outcome = await supervisor.control("reload", "--no-wait");
    expect(outcome).toMatchObject({ code: 0 });
    expect(alive(busy)).toBe(true);
    const again = await supervisor.control("reload", "--no-wait");
    expect(again).toMatchObject({ code: 0 });
    expect(alive(busy)).toBe(true);
    expect((await slow).body).toContain(`${busy}`);
    await eventually(() => !alive(busy));
    await workersReach(spot, 2);
  },
);

behaviour(
  "who does not finish within drain_timeout is ended, and the reload with it",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({
      pools: { www: barePool(scene, spot, { drain_timeout: "700ms" }) },
    });
    await workersReach(spot, 2);
    const slow = fcgi(spot.where, { query: "30", timeout: 35_000 }).catch(() => "lost");
    const busy = await inHand(spot);
    const outcome = await supervisor.control("reload");
    expect(outcome.ms).toBeGreaterThan(600);
    expect(outcome.ms).toBeLessThan(6_000);
    expect(alive(busy)).toBe(false);
    expect(await slow).toBe("lost");
    expect(supervisor.log()).toContain(String(busy));
  },
);

behaviour("reload POOL renews that pool only", {}, async (scene) => {
  const one = await tcpSpot(scene);
  const two = await tcpSpot(scene);
  const { supervisor, change } = await started(scene, {
    pools: { one: barePool(scene, one), two: barePool(scene, two) },
  });
  const oneBefore = await workersReach(one, 2);
  const twoBefore = await workersReach(two, 2);
  change({ pools: { one: barePool(scene, one), two: barePool(scene, two, {}, "die") } });
  expect(await supervisor.control("reload", "one")).toMatchObject({ code: 0 });
  await renewed(one, 2, oneBefore);
  expect(await workersReach(two, 2)).toEqual(twoBefore);
  const unknown = await supervisor.control("reload", "onne");
  expect(unknown.code).not.toBe(0);
  expect(unknown.stderr).toContain("onne");
});

behaviour("--dry-run says what would change, and touches nothing", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const { supervisor, change } = await started(scene, { pools: { www: barePool(scene, spot) } });
  const before = await workersReach(spot, 2);
  change({ pools: { www: barePool(scene, spot, { workers: 3 }) } });
  const plan = await supervisor.control("reload", "--dry-run");
  expect(plan.code).toBe(0);
  expect(plan.stdout).toContain("www");
  expect(plan.stdout).toContain("workers");
  expect(await workersReach(spot, 2)).toEqual(before);
  change({ pools: { www: barePool(scene, spot, { user: "nosuchperson", command: ["nope"] }) } });
  expect((await supervisor.control("reload", "--dry-run")).code).toBe(1);
});

behaviour("a reload changes the number of workers", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const { supervisor, change } = await started(scene, { pools: { www: phpPool(spot) } });
  await workersReach(spot, 2);
  for (const workers of [5, 1]) {
    change({ pools: { www: phpPool(spot, { workers }) } });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await workersReach(spot, workers);
  }
});

behaviour("a storm of reloads ends in one generation", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/hello.php");
  const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
  await workersReach(spot, 2);
  const storm = Promise.all(Array.from({ length: 12 }, () => supervisor.control("reload")));
  const report = await load({ rate: 60, until: storm, send: () => bodyOf(spot, { script }) });
  expect((await storm).map((outcome) => outcome.code)).toEqual(new Array(12).fill(0));
  expect(report.lost, report.messages.join("\n")).toEqual({});
  await workersReach(spot, 2);
  expect(leadersAt(spot.where).length).toBe(1);
});

behaviour(
  "idle keep-alive connections do not hold a drain until its deadline",
  { needs: ["php-cgi", "nginx"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    scene.fixture("php/hello.php");
    const supervisor = await scene.start({
      pools: { www: phpPool(spot, { drain_timeout: "20s" }) },
    });
    const front = await nginx(scene, {
      to: spot.where,
      root: scene.path("www/php"),
      lines: ["fastcgi_keep_conn on;"],
      keepalive: 4,
    });
    await front.get("/hello.php");
    const outcome = await supervisor.control("reload");
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.ms).toBeLessThan(6_000);
    expect((await front.get("/hello.php")).body).toBe("hello world");
  },
);

behaviour(
  "a changed mode or owner is applied to the same socket",
  { needs: ["root"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const pool = (listen: object) => ({ www: barePool(scene, spot, { listen }) });
    const address = spot.listen;
    const { supervisor, change } = await started(scene, { pools: pool({ address, mode: "0600" }) });
    const before = statSync(address);
    const inode = listenersAt(spot.where);
    change({ pools: pool({ address, mode: "0660", owner: "nobody", group: "games" }) });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    const after = statSync(address);
    expect([after.ino, after.mode & 0o777, after.uid, after.gid]).toEqual([
      before.ino,
      0o660,
      65534,
      60,
    ]);
    expect(listenersAt(spot.where)).toEqual(inode);
  },
);

behaviour("changed allowed_clients are applied to the same socket", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const pool = (allowed_clients: string[]) => ({ www: barePool(scene, spot, { allowed_clients }) });
  const fate = (from: string): Promise<string> =>
    fcgi(spot.where, { from, timeout: 600 }).then(
      () => "served",
      () => "turned away",
    );
  const { supervisor, change } = await started(scene, { pools: pool(["127.0.0.1"]) });
  const inode = listenersAt(spot.where);
  expect([await fate("127.0.0.1"), await fate("127.0.0.2")]).toEqual(["served", "turned away"]);
  change({ pools: pool(["127.0.0.2"]) });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect([await fate("127.0.0.1"), await fate("127.0.0.2")]).toEqual(["turned away", "served"]);
  change({ pools: pool([]) });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect([await fate("127.0.0.1"), await fate("127.0.0.2")]).toEqual(["served", "served"]);
  expect(listenersAt(spot.where)).toEqual(inode);
});

behaviour("a half-written config does not hurt the service", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const { supervisor } = await started(scene, { pools: { www: barePool(scene, spot) } });
  const whole = readFileSync(supervisor.configFile, "utf8");
  for (const share of [0.3, 0.6, 0.9]) {
    writeFileSync(supervisor.configFile, whole.slice(0, Math.floor(whole.length * share)));
    await supervisor.control("reload");
    expect(await bodyOf(spot, {})).toContain("hello");
  }
  writeFileSync(supervisor.configFile, whole);
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  await workersReach(spot, 2);
});

behaviour(
  "what only a new start changes is told by every reload until then",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const pools = { www: phpPool(spot, { health: { script } }) };
    const { supervisor, change } = await started(scene, { pools });
    const pid_file = scene.path("other.pid");
    change({ supervisor: { state_dir: scene.path("elsewhere"), pid_file }, pools });
    // The second one has its private socket in the folder that is in use, not in the one to come.
    for (const round of [1, 2]) {
      const { code, stdout, stderr } = await supervisor.control("reload");
      expect(code, `${round}: ${stderr}`).toBe(0);
      expect(stdout).toContain(`supervisor.pid_file = "${pid_file}": takes effect when`);
      expect(stdout).toContain("supervisor.state_dir =");
    }
    change({ pools });
    expect((await supervisor.control("reload")).stdout).not.toContain("takes effect when");
  },
);
