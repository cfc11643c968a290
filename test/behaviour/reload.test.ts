// Reload: nothing lost, nobody stalled, and a service that a bad config cannot break.

import { expect } from "bun:test";
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { descriptorsAtRest, descriptorsFallTo } from "../helper/descriptors.ts";
import { fcgi } from "../helper/fcgi.ts";
import { hold, holdPhp } from "../helper/gate.ts";
import { nginx } from "../helper/nginx.ts";
import { forEachPhp } from "../helper/php.ts";
import {
  barePool,
  bodyOf,
  closed,
  connectedWorker,
  renewed,
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
  workersAt,
} from "../helper/processes.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";
import { onlyLeaving, waitsOnlyFor } from "../helper/status.ts";
import { fateOf } from "../helper/tcp.ts";
import { underLoad, whileSending } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

async function reloadFails(supervisor: Supervisor, ...words: string[]): Promise<string> {
  const outcome = await supervisor.control("reload", ...words);
  expect(outcome.code, outcome.stdout).toBe(1);
  return outcome.stderr;
}

forEachPhp(
  "2,000 requests through nginx while 20 reloads run: none is lost",
  { needs: ["nginx"] },
  async (scene, php) => {
    const spot = unixSpot(scene);
    const listen = { address: spot.listen, mode: "0666" };
    scene.fixture("php/hello.php");
    const supervisor = await scene.start({
      pools: { www: php.pool(spot, { listen, workers: 3 }) },
    });
    const front = await nginx(scene, { to: spot.where, root: scene.path("www/php") });
    const inode = statSync(spot.listen).ino;
    const get = async (i: number) => {
      const page = await front.get(`/hello.php?name=${i}`);
      if (page.body !== `hello ${i}`) throw new Error(`wrong page: ${page.body.slice(0, 80)}`);
    };
    let meanwhile = 0;
    const report = await whileSending(
      get,
      async ({ count, further }) => {
        for (let i = 0; i < 20; i++) {
          await further(100 * i - count());
          const before = count();
          expect(await supervisor.control("reload"), `reload ${i}`).toMatchObject({ code: 0 });
          meanwhile += count() - before;
        }
        await further(2_000 - count());
      },
      300,
    );
    expect(report.ok).toBeGreaterThanOrEqual(2_000);
    expect(meanwhile).toBeGreaterThan(0);
    expect(statSync(spot.listen).ino).toBe(inode);
    await workersReach(spot, 3);
    expect(leadersAt(spot.where).length).toBe(1);
  },
);

forEachPhp("ten reloads leak no descriptor and no process", {}, async (scene, php) => {
  const { spot, supervisor } = await php.start(scene);
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  const before = await descriptorsAtRest(supervisor);
  for (let i = 0; i < 10; i++) {
    const old = workersAt(spot.where);
    expect(await supervisor.control("reload"), `reload ${i}`).toMatchObject({ code: 0 });
    await renewed(spot, { count: 2, old });
  }
  await descriptorsFallTo(supervisor, before);
  await workersReach(spot, 2);
  expect(leadersAt(spot.where).length).toBe(1);
  // One that is dead and not reaped counts, too.
  const children = () => allPids().filter((pid) => parentOf(pid) === supervisor.pid);
  await eventually(() => Bun.deepEquals(children(), leadersAt(spot.where)), {
    what: "the one leader is the only child",
  });
});

forEachPhp("a reload brings the new php.ini into service", {}, async (scene, php) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/version.php");
  const ini = scene.write("php.ini", 'user_agent = "one"\n');
  const supervisor = await scene.start({ pools: { www: php.pool(spot, { php: { ini } }) } });
  expect(await bodyOf(spot, { script })).toBe("one");
  scene.write("php.ini", 'user_agent = "two"\n');
  expect(await bodyOf(spot, { script })).toBe("one");
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  for (let i = 0; i < 6; i++) expect(await bodyOf(spot, { script })).toBe("two");
});

forEachPhp("php defines reach {} as they are written", PHP, async (scene, php) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/version.php");
  const odd = `a 'b' "c" (d); $e & \${PATH} | f!`;
  const defines = { user_agent: odd, sendmail_path: "/usr/sbin/sendmail -t -i" };
  await scene.run({ pools: { www: php.pool(spot, { php: { defines } }) } });
  expect(await bodyOf(spot, { script, query: "name=user_agent" })).toBe(odd);
  expect(await bodyOf(spot, { script, query: "name=sendmail_path" })).toBe(
    "/usr/sbin/sendmail -t -i",
  );
});

forEachPhp("a php.ini with a syntax error is refused beforehand", {}, async (scene, php) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/version.php");
  const ini = scene.write("php.ini", 'user_agent = "one"\n');
  const supervisor = await scene.start({ pools: { www: php.pool(spot, { php: { ini } }) } });
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
    const { spot, supervisor, workers: before } = await startBare(scene);
    writeFileSync(supervisor.configFile, '[pools.www]\nlisten = "127.0.0.1:9\n');
    expect(await reloadFails(supervisor)).toContain("fcgivisor.toml:2");
    expect(await workersReach(spot, 2)).toEqual(before);
    expect(await bodyOf(spot, {})).toContain("hello");
  },
);

behaviour(
  "a generation that does not come up leaves the old in service, and the tail of its output is shown",
  {},
  async (scene) => {
    const { spot, supervisor, workers: before } = await startBare(scene);
    scene.rewrite({ pools: { www: barePool(scene, spot, {}, "die") } });
    await underLoad(spot, {}, async ({ further }) => {
      // Long before its start_timeout, which is ten minutes.
      const said = await reloadFails(supervisor);
      expect(said).toContain("www");
      expect(said).toContain("last words of");
      await further(20);
    });
    expect(await workersReach(spot, 2)).toEqual(before);
    scene.rewrite({ pools: { www: barePool(scene, spot) } });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await renewed(spot, { count: 2, old: before });
  },
);

behaviour("a reload to a generation that hangs fails after start_timeout", {}, async (scene) => {
  const { spot, supervisor, workers: before } = await startBare(scene);
  scene.rewrite({ pools: { www: barePool(scene, spot, { start_timeout: "600ms" }, "hang") } });
  expect(await reloadFails(supervisor)).toContain("start_timeout");
  expect(await workersReach(spot, 2)).toEqual(before);
});

behaviour("one pool's failure leaves every pool as it was", {}, async (scene) => {
  const good = await tcpSpot(scene);
  const bad = await tcpSpot(scene);
  const fresh = await tcpSpot(scene);
  const supervisor = await scene.start({
    pools: { good: barePool(scene, good), bad: barePool(scene, bad) },
  });
  const goodBefore = await workersReach(good, 2);
  const badBefore = await workersReach(bad, 2);
  scene.rewrite({
    pools: {
      good: barePool(scene, good, { env: { NEW: "1" } }),
      bad: barePool(scene, bad, {}, "die"),
      fresh: barePool(scene, fresh),
    },
  });
  expect(await reloadFails(supervisor)).toContain("bad");
  await closed(fresh);
  expect(await workersReach(good, 2)).toEqual(goodBefore);
  expect(await workersReach(bad, 2)).toEqual(badBefore);
});

behaviour("pools are added, removed and re-addressed", {}, async (scene) => {
  const stays = await tcpSpot(scene);
  const goes = await tcpSpot(scene);
  const from = await tcpSpot(scene);
  const to = unixSpot(scene, "moved.sock");
  const comes = await tcpSpot(scene);
  const supervisor = await scene.start({
    pools: {
      stays: barePool(scene, stays),
      goes: barePool(scene, goes),
      moves: barePool(scene, from),
    },
  });
  scene.rewrite({
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
  const supervisor = await scene.start({ pools: { www: barePool(scene, from) } });
  const old = await workersReach(from, 2);
  const held = await hold(scene, from);
  scene.rewrite({ pools: { www: barePool(scene, to) } });
  const reload = supervisor.control("reload");
  await workersReach(to, 2);
  await renewed(from, { count: 0, old, kept: [held.worker] });
  await waitsOnlyFor(held, supervisor, reload);
  expect(await bodyOf(to, {})).toContain("hello");
  expect(listenersAt(from.where)).toEqual([]);
});

behaviour(
  "a new address that is taken fails the reload, and the old one goes on serving",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const taken = await tcpSpot(scene);
    const supervisor = await scene.start({
      pools: { www: barePool(scene, spot), other: barePool(scene, taken) },
    });
    const foreign = scene.path("foreign.sock");
    const code =
      "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1);";
    const squatter = scene.spawn(["perl", "-e", `${code} sleep`, foreign]);
    await eventually(() => existsSync(foreign));
    scene.rewrite({
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

forEachPhp("a long request finishes and delays nobody else", {}, async (scene, php) => {
  const script = scene.fixture("php/hello.php");
  const { spot, supervisor, workers: old } = await php.start(scene, { workers: 3 });
  const held = await holdPhp(scene, spot);
  await underLoad(spot, { script }, async ({ further }) => {
    const reload = supervisor.control("reload");
    await renewed(spot, { count: 3, old, kept: [held.worker] });
    await further(100);
    await waitsOnlyFor(held, supervisor, reload);
    expect(alive(held.worker)).toBe(false);
  });
});

behaviour(
  "--no-wait returns when the new workers serve, the old still draining",
  {},
  async (scene) => {
    const { spot, supervisor, workers: old } = await startBare(scene);
    const held = await hold(scene, spot);
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    const second = await renewed(spot, { count: 2, old, kept: [held.worker] });
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    await renewed(spot, { count: 2, old: [...old, ...second], kept: [held.worker] });
    await onlyLeaving(supervisor, 1, [held.worker]);
    await held.finish();
    await renewed(spot, { count: 2, old: [...old, ...second] });
  },
);

behaviour(
  "who does not finish within drain_timeout is ended, and the reload with it",
  {},
  async (scene) => {
    const { spot, supervisor } = await startBare(scene, { drain_timeout: "700ms" });
    const held = await hold(scene, spot);
    const outcome = await supervisor.control("reload");
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.stdout).toContain("1 request was cut short: longer than drain_timeout");
    expect(outcome.ms).toBeGreaterThan(700);
    expect(alive(held.worker)).toBe(false);
    await expect(held.answer).rejects.toMatchObject({ kind: "cut" });
    await supervisor.logged(
      new RegExp(`worker ${held.worker} of pool www has not exited after .* SIGTERM`),
    );
  },
);

behaviour("reload POOL renews that pool only", {}, async (scene) => {
  const one = await tcpSpot(scene);
  const two = await tcpSpot(scene);
  const supervisor = await scene.start({
    pools: { one: barePool(scene, one), two: barePool(scene, two) },
  });
  const oneBefore = await workersReach(one, 2);
  const twoBefore = await workersReach(two, 2);
  scene.rewrite({ pools: { one: barePool(scene, one), two: barePool(scene, two, {}, "die") } });
  expect(await supervisor.control("reload", "one")).toMatchObject({ code: 0 });
  await renewed(one, { count: 2, old: oneBefore });
  expect(await workersReach(two, 2)).toEqual(twoBefore);
  const unknown = await supervisor.control("reload", "onne");
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain("onne");
});

behaviour("--dry-run says what would change, and touches nothing", {}, async (scene) => {
  const { spot, supervisor, workers: before } = await startBare(scene);
  scene.rewrite({ pools: { www: barePool(scene, spot, { workers: 3 }) } });
  const plan = await supervisor.control("reload", "--dry-run");
  expect(plan.code).toBe(0);
  expect(plan.stdout).toContain("www");
  expect(plan.stdout).toContain("workers");
  expect(await workersReach(spot, 2)).toEqual(before);
  scene.rewrite({
    pools: { www: barePool(scene, spot, { user: "nosuchperson", command: ["nope"] }) },
  });
  const refused = await supervisor.control("reload", "--dry-run");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("nosuchperson");
  expect(await workersReach(spot, 2)).toEqual(before);
});

forEachPhp("a reload changes the number of workers", {}, async (scene, php) => {
  const { spot, supervisor } = await php.start(scene);
  for (const workers of [5, 1]) {
    scene.rewrite({ pools: { www: php.pool(spot, { workers }) } });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await workersReach(spot, workers);
  }
});

forEachPhp("a storm of reloads ends in one generation", {}, async (scene, php) => {
  const script = scene.fixture("php/hello.php");
  const { spot, supervisor, workers: old } = await php.start(scene);
  await underLoad(spot, { script }, async () => {
    const storm = Array.from({ length: 12 }, () => supervisor.control("reload"));
    for (const outcome of await Promise.all(storm)) expect(outcome).toMatchObject({ code: 0 });
  });
  const status = JSON.parse((await supervisor.control("status", "--json")).stdout);
  expect(status.generation).toBe(13);
  await renewed(spot, { count: 2, old });
  expect(leadersAt(spot.where).length).toBe(1);
});

forEachPhp(
  "idle keep-alive connections do not hold a drain until its deadline, which is an hour away",
  { needs: ["nginx"] },
  async (scene, php) => {
    scene.fixture("php/hello.php");
    const { spot, supervisor } = await php.start(scene, { drain_timeout: "1h" });
    const front = await nginx(scene, {
      to: spot.where,
      root: scene.path("www/php"),
      lines: ["fastcgi_keep_conn on;"],
      keepalive: 4,
    });
    expect((await front.get("/hello.php")).body).toBe("hello world");
    const old = workersAt(spot.where);
    expect(old).toContain(await connectedWorker(spot));
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await renewed(spot, { count: 2, old });
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
    const supervisor = await scene.start({ pools: pool({ address, mode: "0600" }) });
    const before = statSync(address);
    const inode = listenersAt(spot.where);
    scene.rewrite({ pools: pool({ address, mode: "0660", owner: "nobody", group: "games" }) });
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
  const supervisor = await scene.start({ pools: pool(["127.0.0.1"]) });
  const inode = listenersAt(spot.where);
  expect(await fateOf(spot, "127.0.0.1")).toBe("let in");
  expect(await fateOf(spot, "127.0.0.2")).toBe("turned away");
  scene.rewrite({ pools: pool(["127.0.0.2"]) });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect(await fateOf(spot, "127.0.0.1")).toBe("turned away");
  expect(await fateOf(spot, "127.0.0.2")).toBe("let in");
  scene.rewrite({ pools: pool([]) });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect(await fateOf(spot, "127.0.0.1")).toBe("let in");
  expect(await fateOf(spot, "127.0.0.2")).toBe("let in");
  expect(listenersAt(spot.where)).toEqual(inode);
});

behaviour("a half-written config is refused, and does not hurt the service", {}, async (scene) => {
  const { spot, supervisor, workers: before } = await startBare(scene);
  const whole = readFileSync(supervisor.configFile, "utf8");
  const lines = whole.trimEnd().split("\n");
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    const half = line.slice(0, line.length / 2);
    writeFileSync(supervisor.configFile, [...lines.slice(0, i), half].join("\n"));
    expect(await reloadFails(supervisor)).toContain(`fcgivisor.toml:${i + 1}`);
    expect(await workersReach(spot, 2)).toEqual(before);
    expect(await bodyOf(spot, {})).toContain("hello");
  }
  writeFileSync(supervisor.configFile, whole);
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  await renewed(spot, { count: 2, old: before });
});

forEachPhp(
  "what only a new start changes is told by every reload until then",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const pools = { www: php.pool(spot, { health: { script } }) };
    const supervisor = await scene.start({ pools });
    const pid_file = scene.path("other.pid");
    scene.rewrite({ supervisor: { state_dir: scene.path("elsewhere"), pid_file }, pools });
    // The second one has its private socket in the folder that is in use, not in the one to come.
    for (const round of [1, 2]) {
      const { code, stdout, stderr } = await supervisor.control("reload");
      expect(code, `${round}: ${stderr}`).toBe(0);
      expect(stdout).toContain(`supervisor.pid_file = "${pid_file}": takes effect when`);
      expect(stdout).toContain("supervisor.state_dir =");
    }
    scene.rewrite({ pools });
    expect((await supervisor.control("reload")).stdout).not.toContain("takes effect when");
  },
);

behaviour("a reload tells of a warning once, and only of new ones", {}, async (scene) => {
  const [one, two] = [unixSpot(scene, "it's one.sock"), unixSpot(scene, "two.sock")];
  const odd = { env: { COST: "$1" } };
  const pools = { one: barePool(scene, one, odd), two: barePool(scene, two, odd) };
  const supervisor = await scene.start({ pools });
  await supervisor.logged("pools one, two: env COST = ");
  expect((await supervisor.control("reload")).stdout).not.toContain("warning");
  const env = { ...odd.env, PRICE: "$5" };
  scene.rewrite({ pools: { ...pools, two: barePool(scene, two, { env }) } });
  for (const words of [["reload", "--dry-run"], ["reload"]]) {
    const { stdout } = await supervisor.control(...words);
    expect(stdout.match(/warning: .*/g)).toEqual([expect.stringContaining("env PRICE")]);
  }
  expect((await supervisor.control("reload")).stdout).not.toContain("warning");
});

forEachPhp(
  "reload --changed touches only pools that have changed, each for its reason",
  {},
  async (scene, php) => {
    const [one, two, three] = ["one", "two", "three"].map((name) => unixSpot(scene, name));
    const ini = scene.write("php.ini", "precision = 3\n");
    const pools = {
      app: php.pool(one!, { php: { ini } }),
      script: barePool(scene, two!),
      other: php.pool(three!),
    };
    const supervisor = await scene.start({ pools });
    const pids = async () => Promise.all([one, two, three].map((spot) => workersReach(spot!, 2)));
    const before = await pids();
    const nothing = await supervisor.control("reload", "--changed");
    expect(nothing).toMatchObject({ code: 0, stdout: expect.stringContaining("none is touched") });
    expect(await pids()).toEqual(before);

    scene.write("php.ini", "precision = 4\n");
    const dry = await supervisor.control("reload", "--changed", "--dry-run");
    expect(dry.stdout).toContain(
      `replace the workers of pool app (${one!.listen}), because ${ini}`,
    );
    expect(dry.stdout).not.toContain("pool other");
    expect((await supervisor.control("reload", "--changed")).code).toBe(0);
    const [app, script, other] = await pids();
    expect(app).not.toEqual(before[0]!);
    expect([script, other]).toEqual(before.slice(1));

    // The program itself, a setting, and a pool that has gone.
    utimesSync(scene.fixture("fcgi/bare.pl"), new Date(), new Date());
    const { other: gone, ...rest } = { ...pools, app: { ...pools.app, max_requests: 7 } };
    expect(gone).toBeDefined();
    scene.rewrite({ pools: rest });
    const { stdout } = await supervisor.control("reload", "--changed");
    expect(stdout).toContain("bare.pl has changed");
    expect(stdout).toContain("its config has changed");
    expect(stdout).toContain("it is not in the config any more");
    await workersReach(three!, 0);
    const usage = await supervisor.control("reload", "--changed", "app");
    expect(usage.code).toBe(2);
  },
);

behaviour("workers that are late together are told in one line", {}, async (scene) => {
  const spot = unixSpot(scene);
  const extra = { workers: 3, drain_timeout: "1s" };
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot, extra) } });
  const held = [await hold(scene, spot), await hold(scene, spot), await hold(scene, spot)];
  for (const { answer } of held) answer.catch(() => {});
  const { stdout, code } = await supervisor.control("reload");
  expect({ code, cut: stdout.includes("3 requests were cut short") }).toEqual({
    code: 0,
    cut: true,
  });
  await supervisor.logged(
    /3 workers of pool www \(.*\) have not exited after .* and get SIGTERM; .*stop_signal/,
  );
  expect(supervisor.log().match(/ha(s|ve) not exited .*SIGTERM/g)).toHaveLength(1);
});
