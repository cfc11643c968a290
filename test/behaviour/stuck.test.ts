// Processes that do not go on: stopped by somebody, or waiting in the kernel where not even KILL
// reaches them. Each has an end, it is told, and nobody else waits for it.

import { expect } from "bun:test";
import { fcgi } from "../helper/fcgi.ts";
import { freezable } from "../helper/kernel.ts";
import { barePool, bodyOf, inHand, phpPool, tcpSpot, workersReach } from "../helper/pool.ts";
import { alive, descriptorsOf, leadersAt, statusField, workersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;
const FREEZING = { needs: ["php-cgi", "a loop device"] } as const;

behaviour("a worker stopped with a request in hand is told, and continued", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/slow.php");
  const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
  await workersReach(spot, 2);
  const answer = fcgi(spot.where, { script, query: "ms=500", timeout: 60_000 });
  const busy = await inHand(spot);
  process.kill(busy, "SIGSTOP");
  await eventually(() => supervisor.log().includes(`process ${busy} of pool www is stopped`));
  expect((await answer).body).toBe(`slept ${busy}`);
  expect(supervisor.log()).toContain(`process ${busy} of pool www was still stopped`);
});

behaviour("a stopped leader is continued, and replaces what died meanwhile", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
  const [worker] = await workersReach(spot, 2);
  const [leader] = leadersAt(spot.where);
  process.kill(leader!, "SIGSTOP");
  process.kill(worker!, "SIGKILL");
  await workersReach(spot, 1);
  await workersReach(spot, 2);
  expect(alive(leader!)).toBe(true);
  expect(supervisor.log()).toContain(`process ${leader} of pool www was still stopped`);
});

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
    const lost = fcgi(spot.where, { script, timeout: 120_000 }).catch(() => "lost");
    const stuck = await inHand(spot);
    await eventually(() => statusField(stuck, "State").startsWith("D"));

    const reload = await supervisor.control("reload");
    expect(reload).toMatchObject({ code: 0 });
    expect(reload.stdout).toContain("1 request was cut short");
    expect(reload.stdout).toContain(`process ${stuck} of pool www does not die of SIGKILL`);
    expect(supervisor.log()).toContain(`process ${stuck} of pool www does not die of SIGKILL`);
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");

    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
    expect(alive(stuck)).toBe(true);
    const again = await scene.start({ pools });
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
    expect(await again.control("stop")).toMatchObject({ code: 0 });

    await disk.thaw();
    await eventually(() => !alive(stuck));
    expect(await lost).toBe("lost");
  },
);

behaviour("a report says how many requests were cut short", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const pools = { www: barePool(scene, spot, { drain_timeout: "300ms", workers: 3 }) };
  const supervisor = await scene.start({ pools });
  await workersReach(spot, 3);
  const slow = [1, 2].map(() => fcgi(spot.where, { query: "60" }).catch(() => "lost"));
  const isBusy = (pid: number) => descriptorsOf(pid).size > 3;
  await eventually(() => workersAt(spot.where).filter(isBusy).length === 2);
  const reload = await supervisor.control("reload", "--json");
  expect(JSON.parse(reload.stdout)).toMatchObject({ ok: true, report: { cut: 2, stuck: [] } });
  expect(await Promise.all(slow)).toEqual(["lost", "lost"]);
  const again = await supervisor.control("reload");
  expect(again.stdout).not.toContain("cut short");
});

behaviour(
  "a worker that ignores every polite signal is killed when its time is over",
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
    const pool = { listen: spot.listen, command: [deaf], workers: 2, drain_timeout: "300ms" };
    const supervisor = await scene.start({ pools: { www: pool } });
    const old = await workersReach(spot, 2);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(old.filter(alive)).toEqual([]);
    for (const pid of old)
      expect(supervisor.log()).toMatch(new RegExp(`worker ${pid} of pool www .* is sent SIGKILL`));
    const last = await workersReach(spot, 2);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    expect(last.filter(alive)).toEqual([]);
  },
);

behaviour("what a script left in the background does not keep an address", PHP, async (scene) => {
  const [first, second] = [await tcpSpot(scene), await tcpSpot(scene)];
  const supervisor = await scene.start({ pools: { www: phpPool(first) } });
  const left = `<?php exec("setsid -f sleep 600 >/dev/null 2>&1"); echo "sleeps";`;
  expect(await bodyOf(first, { script: scene.write("www/left.php", left) })).toBe("sleeps");
  for (const spot of [second, first]) {
    scene.rewrite({ pools: { www: phpPool(spot) } });
    const reload = await supervisor.control("reload");
    expect(reload, reload.stderr).toMatchObject({ code: 0 });
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  }
  expect(supervisor.log()).toContain(`${first.listen} is closed and free, though 1 process`);
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
});
