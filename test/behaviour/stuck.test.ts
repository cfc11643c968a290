// Processes that do not go on: stopped by somebody, or waiting in the kernel where not even KILL
// reaches them. Each has an end, it is told, and nobody else waits for it.

import { expect } from "bun:test";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { hold, holdPhp } from "../helper/gate.ts";
import { freezable } from "../helper/kernel.ts";
import { forEachPhp } from "../helper/php.ts";
import { barePool, bodyOf, phpPool, renewed, tcpSpot, workersReach } from "../helper/pool.ts";
import { alive, leadersAt, statusField, workersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { eventually, LONGEST_MS } from "../helper/wait.ts";

const FREEZING = { needs: ["php-cgi", "a loop device"] } as const;

forEachPhp(
  "a worker stopped with a request in flight, and a stopped leader, are told and continued",
  {},
  async (scene, php) => {
    const [www, api] = [await tcpSpot(scene), await tcpSpot(scene)];
    const supervisor = await scene.start({ pools: { www: php.pool(www), api: php.pool(api) } });
    const workers = await workersReach(api, 2);
    await workersReach(www, 2);
    const held = await holdPhp(scene, www);
    const [leader] = leadersAt(api.where);
    for (const pid of [held.worker, leader!]) process.kill(pid, "SIGSTOP");
    held.open();
    process.kill(workers[0]!, "SIGKILL");
    await supervisor.logged(`process ${held.worker} of pool www is stopped`);
    await supervisor.logged(`process ${leader} of pool api is stopped`);
    // A stopped process does nothing: that they go on is the supervisor's doing.
    expect((await held.answer).body).toBe(`waited ${held.worker}`);
    await renewed(api, { count: 1, old: workers, kept: [workers[1]!] });
    expect(leadersAt(api.where)).toEqual([leader!]);
    await supervisor.logged(`process ${held.worker} of pool www was still stopped`);
    await supervisor.logged(`process ${leader} of pool api was still stopped`);
  },
);

behaviour(
  "a worker in an uninterruptible sleep: the reload ends, says so, and the address gets free",
  FREEZING,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const disk = await freezable(scene);
    const write = `<?php file_put_contents("${disk.dir}/x", "y"); echo "written";`;
    const script = scene.write("write.php", write);
    const pools = { www: phpPool(spot, { drain_timeout: "1s" }) };
    const supervisor = await scene.start({ pools });
    expect(await bodyOf(spot, { script })).toBe("written");
    await disk.freeze();
    const lost = fcgi(spot.where, { script, timeout: 2 * LONGEST_MS }).catch((error) => error);
    const stuck = await eventually(
      () => workersAt(spot.where).find((pid) => statusField(pid, "State").startsWith("D")),
      { what: "a worker waits for the disk" },
    );

    const reload = await supervisor.control("reload");
    expect(reload).toMatchObject({ code: 0 });
    expect(reload.stdout).toContain("1 request was cut short");
    expect(reload.stdout).toContain(`process ${stuck} of pool www survives SIGKILL`);
    await supervisor.logged(`process ${stuck} of pool www survives SIGKILL`);
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");

    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
    expect(alive(stuck)).toBe(true);
    const again = await scene.start({ pools });
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
    expect(await again.control("stop")).toMatchObject({ code: 0 });

    await disk.thaw();
    await eventually(() => !alive(stuck));
    const loss = await lost;
    expect(loss).toBeInstanceOf(Lost);
    expect((loss as Lost).kind).not.toBe("timeout");
  },
);

behaviour("a report says how many requests were cut short", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const pools = { www: barePool(scene, spot, { drain_timeout: "300ms", workers: 3 }) };
  const supervisor = await scene.start({ pools });
  await workersReach(spot, 3);
  const held = [await hold(scene, spot), await hold(scene, spot)];
  expect(held[0]!.worker).not.toBe(held[1]!.worker);
  const reload = await supervisor.control("reload", "--json");
  expect(reload).toMatchObject({ code: 0 });
  expect(JSON.parse(reload.stdout)).toMatchObject({ ok: true, report: { cut: 2, stuck: [] } });
  for (const { answer } of held) await expect(answer).rejects.toThrow();
  const again = await supervisor.control("reload");
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).not.toContain("cut short");
});

behaviour(
  "a worker that ignores every signal for a graceful stop is killed after its drain_timeout",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const deaf = scene.write(
      "deaf.pl",
      `#!/usr/bin/perl
$SIG{$_} = "IGNORE" for qw(TERM INT HUP QUIT USR1 USR2);
open(my $listener, "+<&=", 0) or die;
while (1) { accept(my $client, $listener) and sleep 600; }
`,
      0o755,
    );
    const pool = barePool(scene, spot, { command: [deaf], drain_timeout: "300ms" });
    const supervisor = await scene.start({ pools: { www: pool } });
    const old = await workersReach(spot, 2);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(old.filter(alive)).toEqual([]);
    for (const pid of old)
      await supervisor.logged(new RegExp(`worker.*\\b${pid}\\b.* not exited .* gets? SIGKILL`));
    const last = await workersReach(spot, 2);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    expect(last.filter(alive)).toEqual([]);
  },
);

forEachPhp(
  "what a script left in the background does not keep an address",
  {},
  async (scene, php) => {
    const [first, second] = [await tcpSpot(scene), await tcpSpot(scene)];
    const supervisor = await scene.start({ pools: { www: php.pool(first) } });
    const left = `<?php exec("setsid -f sleep 600 >/dev/null 2>&1"); echo "sleeps";`;
    expect(await bodyOf(first, { script: scene.write("www/left.php", left) })).toBe("sleeps");
    for (const spot of [second, first]) {
      scene.rewrite({ pools: { www: php.pool(spot) } });
      const reload = await supervisor.control("reload");
      expect(reload, reload.stderr).toMatchObject({ code: 0 });
      expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
    }
    await supervisor.logged(`${first.listen} is closed and free; 1 process`);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  },
);
