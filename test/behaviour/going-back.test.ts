// The way back: the configs that have served are kept, `rollback` runs with one of them again, and a
// generation that turns bad within reload.probation is taken back by the supervisor itself.

import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { crash, recovered } from "../helper/crash.ts";
import { gateFolder } from "../helper/gate.ts";
import { barePool, bodyOf, NO_HURRY, phpPool, tcpSpot, workersReach } from "../helper/pool.ts";
import { BINARY } from "../helper/program.ts";
import { AS_NOBODY, behaviour, type Scene } from "../helper/scene.ts";
import { statusOf } from "../helper/status.ts";
import { underLoad, whileSending } from "../helper/under-load.ts";

behaviour("rollback: the config before serves again, and no request is lost", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const config = (workers: number) => ({
    pools: { www: barePool(scene, spot, { workers, env: { PASSWORD: `secret-${workers}` } }) },
  });
  const supervisor = await scene.start(config(2));
  await workersReach(spot, 2);
  scene.rewrite(config(3));
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  const text = readFileSync(supervisor.configFile, "utf8");

  const history = await supervisor.control("history");
  expect(history.stdout).toMatch(/^GENERATION +SINCE +BY +POOLS +CONFIG\n2 \(runs\) .* reload +1 /);
  expect(history.stdout).toMatch(/^1 +.* start +1 +\S+fcgivisor\.toml$/m);
  const diff = await supervisor.control("diff", "1");
  expect(diff.stdout).toContain("what has changed in the config since generation 1:");
  expect(diff.stdout).toContain("workers: 2 -> 3");
  const plan = await supervisor.control("rollback", "--dry-run");
  expect(plan.stdout).toContain("workers: 3 -> 2");
  await workersReach(spot, 3);

  await underLoad(spot, {}, async ({ further }) => {
    const back = await supervisor.control("rollback");
    expect(back, back.stderr).toMatchObject({ code: 0 });
    expect(back.stdout).toMatch(/^went back to the config of generation 1 in .*generation 3/);
    await further(5);
  });
  await workersReach(spot, 2);
  expect(readFileSync(supervisor.configFile, "utf8")).toBe(text);
  const status = await supervisor.control("status");
  expect(status.stdout).toContain(
    "gone back to the config of generation 1; the files say otherwise",
  );
  expect((await statusOf(supervisor)).rolled_back).toEqual({ to: 1, why: null });

  // Until a reload takes the files on.
  const pending = await supervisor.control("reload", "--dry-run");
  expect(pending.stdout).toContain("workers: 2 -> 3");
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  await workersReach(spot, 3);
  expect((await statusOf(supervisor)).rolled_back).toBeNull();
});

behaviour("what rollback cannot do it says, and does nothing", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  const workers = await workersReach(spot, 2);
  const none = await supervisor.control("rollback");
  expect(none).toMatchObject({ code: 1 });
  expect(none.stderr).toContain("no other config than the one that runs has served");
  const unkept = await supervisor.control("rollback", "7");
  expect(unkept).toMatchObject({ code: 1 });
  expect(unkept.stderr).toContain("the config of generation 7 is not kept");
  expect(unkept.stderr).toContain("there are those of generation 1");
  for (const command of ["rollback", "diff"]) {
    const wrong = await supervisor.control(command, "yesterday");
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('"yesterday" is no number of a generation');
  }
  expect(await workersReach(spot, 2)).toEqual(workers);
});

behaviour(
  "the last ten configs are kept, for nobody else to read, over a kill -9, and not beyond the end",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = (number: number) => ({
      pools: { www: barePool(scene, spot, { workers: 1, env: { NUMBER: String(number) } }) },
    });
    const supervisor = await scene.start(config(1));
    for (let number = 2; number <= 12; number++) {
      scene.rewrite(config(number));
      expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    }
    // The same config again is no further one to go back to.
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    const listed = JSON.parse((await supervisor.control("history", "--json")).stdout) as {
      since: number;
      generation: number;
    }[];
    expect(listed.map(({ since, generation }) => [since, generation])).toEqual([
      [12, 13],
      ...[11, 10, 9, 8, 7, 6, 5, 4, 3].map((number) => [number, number]),
    ]);
    const folder = scene.path("run/history");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder))
      expect(statSync(`${folder}/${name}`).mode & 0o777).toBe(0o600);

    await crash(supervisor);
    const next = await recovered(scene, supervisor);
    const back = await next.control("rollback", "5");
    expect(back, back.stderr).toMatchObject({ code: 0 });
    expect(await next.control("quit")).toMatchObject({ code: 0 });
    expect(existsSync(folder)).toBe(false);
  },
);

const PROBATION = "10m";

/** A file that workers of any user may write to. */
function countOf(scene: Scene): string {
  return `${gateFolder(scene)}/count`;
}

/** Its ping is right until it has served fifty pages as the new version. */
const TURNS_BAD = `<?php
$count = getenv("COUNT");
$isNew = getenv("VERSION") === "new";
if (str_ends_with($_SERVER["SCRIPT_NAME"], "page.php")) {
  if ($isNew) file_put_contents($count, "x", FILE_APPEND | LOCK_EX);
  echo getenv("VERSION");
  return;
}
clearstatcache();
$isBad = $isNew && is_file($count) && filesize($count) >= 50;
if ($isBad) http_response_code(500);
echo $isBad ? "out of everything" : "pong";
`;

behaviour(
  "an application that turns bad after its 50th request is taken back, and nothing is lost",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const ping = scene.write("ping.php", TURNS_BAD);
    const page = { script: scene.write("page.php", TURNS_BAD) };
    const config = (version: string) => ({
      pools: {
        www: phpPool(spot, {
          env: { VERSION: version, COUNT: countOf(scene) },
          health: { script: ping, expect: "pong" },
          reload: { probation: PROBATION },
        }),
      },
    });
    const supervisor = await scene.start(config("old"));
    scene.rewrite(config("new"));
    await whileSending(
      () => bodyOf(spot, page),
      async ({ further }) => {
        const reload = await supervisor.control("reload", "--wait-probation");
        expect(reload).toMatchObject({ code: 1 });
        expect(reload.stderr).toContain("has not stood its probation");
        expect(reload.stderr).toContain('status 500 instead of 200 and a body without "pong"');
        await further(5);
      },
    );
    expect(readFileSync(countOf(scene), "utf8").length).toBeGreaterThanOrEqual(50);
    expect(await bodyOf(spot, page)).toBe("old");
    await supervisor.logged(
      /the config of generation 1 is in force again, because pool www has not/,
    );
    const status = await supervisor.control("status");
    expect(status.stdout).toMatch(/gone back to the config of generation 1, because pool www has/);
  },
);

/** Serves fifty requests in all, then dies after each; what it has begun it answers. */
const DIES = `#!/usr/bin/perl
use FCGI;
my ($version, $count) = @ENV{"VERSION", "COUNT"};
my $request = FCGI::Request();
while ($request->Accept() >= 0) {
  print "Content-Type: text/plain\\r\\n\\r\\n$version";
  $request->Finish();
  next unless $version eq "new";
  open my $file, ">>", $count; syswrite $file, "x"; close $file;
  exit 3 if -s $count >= 50;
}
`;

behaviour(
  "workers that die one after the other within the probation are taken back",
  { needs: ["perl-fcgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const program = scene.write("dies.pl", DIES, 0o755);
    const config = (version: string) => ({
      pools: {
        www: {
          listen: spot.listen,
          command: [program],
          runtime: "libfcgi",
          workers: 3,
          ...NO_HURRY,
          clear_env: false,
          env: { VERSION: version, COUNT: countOf(scene) },
          reload: { probation: PROBATION },
        },
      },
    });
    const supervisor = await scene.start(config("old"));
    scene.rewrite(config("new"));
    await whileSending(
      () => bodyOf(spot, {}),
      async ({ further }) => {
        const reload = await supervisor.control("reload", "--wait-probation");
        expect(reload).toMatchObject({ code: 1 });
        expect(reload.stderr).toMatch(/\d of its new workers died within reload\.probation/);
        await further(5);
      },
    );
    expect(await bodyOf(spot, {})).toBe("old");
  },
);

behaviour("a probation that is stood is told; another reload ends one", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const config = (probation: string) => ({
    pools: { www: barePool(scene, spot, { reload: { probation } }) },
  });
  const supervisor = await scene.start(config(PROBATION));
  await workersReach(spot, 2);
  const waiting = supervisor.control("reload", "--wait-probation");
  await supervisor.logged(/reload done/);
  expect(Bun.peek.status(waiting)).toBe("pending");
  scene.rewrite(config("300ms"));
  const stood = await supervisor.control("reload", "--wait-probation");
  expect(stood, stood.stderr).toMatchObject({ code: 0 });
  expect(await waiting).toMatchObject({ code: 0 });
  await supervisor.logged("the new workers of pool www stood the probation of 300 ms");
  expect((await statusOf(supervisor)).rolled_back).toBeNull();
});

behaviour(
  "who may not see the config's secrets sees none in a diff",
  { needs: ["root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = (word: string) => ({
      admin: { mode: "0666" },
      pools: { www: barePool(scene, spot, { env: { PASSWORD: word } }) },
    });
    const supervisor = await scene.start(config("hunter2"));
    scene.rewrite(config("swordfish"));
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    const { stdout } = await supervisor.control("diff", "1");
    expect(stdout).toMatch(/hunter2.*swordfish/);
    const diff = [BINARY, "diff", "1", "--socket", supervisor.socket];
    const other = await scene.command([...AS_NOBODY, ...diff]);
    expect(other, other.stderr).toMatchObject({ code: 0 });
    expect(other.stdout).toContain("env: (masked) -> (masked)");
    expect(other.stdout).not.toMatch(/hunter2|swordfish/);
  },
);
