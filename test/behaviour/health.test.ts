// New workers prove themselves before old ones go: health is asked of a canary on a private socket. When
// it answers wrong, the reason is told, everything stays as it was, and no client has met the new code.

import { expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { crash, recovered, startAgain } from "../helper/crash.ts";
import type { FcgiRequest } from "../helper/fcgi.ts";
import { gate } from "../helper/gate.ts";
import { findProgram, type Part } from "../helper/packages.ts";
import { forEachPhp, type Php, PHP_CGI, PHPS } from "../helper/php.ts";
import {
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
import { alive, allPids, procText, rssOf } from "../helper/processes.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { whileSending } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

/** How long a health check may take that is going to be answered, and one that is not. */
const PATIENT = "10m";
const IMPATIENT = "700ms";

/** How the ping of new code goes wrong. */
type Wrong = "status" | "text" | "silent" | "fatal";

type Table = Record<string, unknown>;

/** A kind of program that tells which generation it is, and whose new one can answer the ping wrong. */
interface Kind {
  readonly name: string;
  readonly needs: readonly Part[];
  readonly pool: (scene: Scene, spot: Spot) => Table;
  readonly health: (scene: Scene) => Table;
  /** Asks for the page that tells the generation. */
  readonly page: (scene: Scene) => FcgiRequest;
  readonly wrongs: readonly Wrong[];
}

const PING_PHP = `<?php
$wrong = getenv("GEN") === "new" ? getenv("WRONG") : "";
error_log("the ping was asked of " . getenv("GEN"));
if ($wrong === "status") http_response_code(503);
if ($wrong === "silent") sleep(3600);
if ($wrong === "fatal") function_that_is_not_there();
echo $wrong === "text" ? "down for maintenance" : "pong";
`;

const PING_PL = `#!/usr/bin/perl
use FCGI;
my ($gen, $wrong) = @ENV{"GEN", "WRONG"};
my $request = FCGI::Request();
while ($request->Accept() >= 0) {
    if (($ENV{REQUEST_URI} // "") ne "/ping?deep=1") { print "Content-Type: text/plain\\r\\n\\r\\n$gen"; next; }
    print STDERR "the ping was asked of $gen\\n";
    my $now = $gen eq "new" ? $wrong : "";
    if ($now eq "silent") { select(undef, undef, undef, 3600); }
    print "Status: 503 Not now\\r\\n" if $now eq "status";
    print "Content-Type: text/plain\\r\\n\\r\\n", $now eq "text" ? "down for maintenance" : "pong";
}
`;

const PING_SH = `#!/bin/sh
echo "the ping was asked of $GEN" >&2
[ "$GEN" = new ] || WRONG=
[ "$WRONG" != silent ] || exec sleep 3600
[ "$WRONG" != status ] || printf 'Status: 503 Not now\\r\\n'
printf 'Content-Type: text/plain\\r\\n\\r\\n'
if [ "$WRONG" = text ]; then printf 'down for maintenance'; else printf pong; fi
`;

const PAGE_SH = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n%s' "$GEN"
`;

function kindOf(php: Php): Kind {
  return {
    name: php.name,
    needs: [php.need],
    pool: (_scene, spot) => php.pool(spot, { php: { defines: { display_errors: "0" } } }),
    health: (scene) => ({ script: scene.write("www/ping.php", PING_PHP), expect: "pong" }),
    page: (scene) => ({ script: scene.write("www/page.php", '<?php echo getenv("GEN");') }),
    wrongs: ["status", "text", "silent", "fatal"],
  };
}

const KINDS: readonly Kind[] = [
  ...PHPS.map(kindOf),
  {
    name: "Perl's FCGI",
    needs: ["perl-fcgi"],
    pool: (scene, spot) => ({
      listen: spot.listen,
      command: [scene.write("www/ping.pl", PING_PL, 0o755)],
      runtime: "libfcgi",
      workers: 2,
      ...NO_HURRY,
    }),
    health: () => ({ path: "/ping?deep=1", expect: "pong" }),
    page: () => ({}),
    wrongs: ["status", "text", "silent"],
  },
  {
    name: "fcgiwrap",
    needs: ["fcgiwrap"],
    pool: (_scene, spot) => ({
      listen: spot.listen,
      // -f: what the script writes to stderr goes to FCGI_STDERR.
      command: [findProgram("fcgiwrap")!, "-f"],
      workers: 2,
      ...NO_HURRY,
    }),
    health: (scene) => ({ script: scene.write("www/ping.sh", PING_SH, 0o755), expect: "pong" }),
    page: (scene) => ({ script: scene.write("www/page.sh", PAGE_SH, 0o755) }),
    wrongs: ["status", "text", "silent"],
  },
];

const REASONS: Readonly<Record<Wrong, RegExp>> = {
  status: /status 503 instead of 200/,
  text: /down for maintenance/,
  silent: /700 ms/,
  fatal: /status 500 instead of 200/,
};

/** What the canary wrote to FCGI_STDERR is part of the reason. */
const SAID: Readonly<Record<Wrong, RegExp | null>> = {
  status: /the ping was asked of new/,
  text: /the ping was asked of new/,
  silent: null,
  fatal: /function_that_is_not_there/,
};

/** The pool, its config telling which generation it is and how the new one is wrong. */
function poolOf(scene: Scene, kind: Kind, spot: Spot, gen: string, wrong = ""): Table {
  const timeout = wrong === "silent" ? IMPATIENT : PATIENT;
  const health = { ...kind.health(scene), timeout };
  const env = { GEN: gen, WRONG: wrong, MARK: scene.dir, PATH: "/usr/bin:/bin" };
  return { ...kind.pool(scene, spot), health, env };
}

/** Socket files of canaries. */
function canaries(scene: Scene): string[] {
  const run = scene.path("run");
  const files = existsSync(run) ? readdirSync(run) : [];
  return files.filter((name) => name.includes("canary"));
}

/** Processes of the new code, by the folder that their environment names. */
function newPrograms(scene: Scene): number[] {
  return allPids().filter((pid) => {
    const environment = procText(pid, "environ");
    return environment.includes("GEN=new") && environment.includes(`MARK=${scene.dir}`);
  });
}

/** A supervisor in the background, whose workers are of the old code. */
async function startOld(scene: Scene, kind: Kind) {
  const spot = await tcpSpot(scene);
  const pool = poolOf(scene, kind, spot, "old");
  const supervisor = await scene.start({ pools: { app: pool } });
  return { spot, pool, supervisor, before: await workersReach(spot, 2) };
}

/** Requests while the story runs and for a while after; each must be answered, and by this generation. */
async function servedBy(
  gen: string,
  spot: Spot,
  page: FcgiRequest,
  story: () => Promise<void>,
): Promise<void> {
  const ask = async () => {
    const body = await bodyOf(spot, page);
    if (body !== gen) throw new Error(`answered by generation "${body}"`);
  };
  await whileSending(ask, story);
}

for (const kind of KINDS) {
  behaviour(
    `${kind.name}: a healthy canary lets start, reload and restart through, and is never seen by a client`,
    { needs: kind.needs },
    async (scene) => {
      const page = kind.page(scene);
      const { spot, supervisor, before } = await startOld(scene, kind);
      expect(await bodyOf(spot, page)).toBe("old");
      scene.rewrite({ pools: { app: poolOf(scene, kind, spot, "new") } });
      expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
      const after = await renewed(spot, { count: 2, old: before });
      for (let i = 0; i < 4; i++) expect(await bodyOf(spot, page)).toBe("new");
      expect(await supervisor.control("restart")).toMatchObject({ code: 0 });
      await renewed(spot, { count: 2, old: after });
      expect(await bodyOf(spot, page)).toBe("new");
      expect(canaries(scene)).toEqual([]);
    },
  );

  for (const wrong of kind.wrongs) {
    behaviour(
      `${kind.name}: a reload is refused when the canary's answer is wrong: ${wrong}`,
      { needs: kind.needs },
      async (scene) => {
        const page = kind.page(scene);
        const { spot, supervisor, before } = await startOld(scene, kind);
        scene.rewrite({ pools: { app: poolOf(scene, kind, spot, "new", wrong) } });
        await servedBy("old", spot, page, async () => {
          const outcome = await supervisor.control("reload");
          expect(outcome, outcome.stdout).toMatchObject({ code: 1 });
          expect(outcome.stderr).toContain("app");
          expect(outcome.stderr).toMatch(REASONS[wrong]);
          if (SAID[wrong] !== null) expect(outcome.stderr).toMatch(SAID[wrong]);
        });
        expect(await workersReach(spot, 2)).toEqual(before);
        expect(canaries(scene)).toEqual([]);
        await eventually(() => newPrograms(scene).length === 0, {
          what: "no program of the new code",
        });
        scene.rewrite({ pools: { app: poolOf(scene, kind, spot, "new") } });
        expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
        expect(await bodyOf(spot, page)).toBe("new");
      },
    );
  }

  behaviour(
    `${kind.name}: a canary that answers wrong fails the start, and nothing is left`,
    { needs: kind.needs },
    async (scene) => {
      const spot = unixSpot(scene);
      const pools = { app: poolOf(scene, kind, spot, "new", "text") };
      const config = scene.daemonConfig({ pools });
      const outcome = await scene.fcgivisor(["start", "-c", config]);
      expect(outcome).toMatchObject({ code: 1 });
      expect(outcome.stderr).toMatch(REASONS.text);
      expect(outcome.stderr).toMatch(SAID.text!);
      expect(existsSync(spot.listen)).toBe(false);
      expect(existsSync(scene.path("run"))).toBe(false);
    },
  );

  behaviour(
    `${kind.name}: a canary that answers wrong refuses the restart before anything is stopped`,
    { needs: kind.needs },
    async (scene) => {
      const page = kind.page(scene);
      const { spot, supervisor, before } = await startOld(scene, kind);
      scene.rewrite({ pools: { app: poolOf(scene, kind, spot, "new", "status") } });
      await servedBy("old", spot, page, async () => {
        const outcome = await supervisor.control("restart");
        expect(outcome, outcome.stdout).toMatchObject({ code: 1 });
        expect(outcome.stderr).toMatch(REASONS.status);
      });
      expect(await workersReach(spot, 2)).toEqual(before);
      expect(canaries(scene)).toEqual([]);
    },
  );
}

forEachPhp(
  "a release that breaks a page with OPcache on never meets a client",
  { needs: ["opcache"] },
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.write("www/page.php", '<?php echo "first";');
    const defines = {
      "opcache.enable": "1",
      "opcache.validate_timestamps": "0",
      "opcache.file_update_protection": "0",
      display_errors: "0",
    };
    const pool = php.pool(spot, {
      php: { defines },
      health: { script, expect: "first", timeout: PATIENT },
    });
    const supervisor = await scene.start({ pools: { www: pool } });
    expect(await bodyOf(spot, { script })).toBe("first");
    await servedBy("first", spot, { script }, async () => {
      scene.write("www/page.php", '<?php echo "second"; nowhere();');
      const outcome = await supervisor.control("reload");
      expect(outcome).toMatchObject({ code: 1 });
      expect(outcome.stderr).toContain("nowhere");
      scene.write("www/page.php", "<?php this does not parse");
      const worse = await supervisor.control("reload");
      expect(worse).toMatchObject({ code: 1 });
      expect(worse.stderr).toMatch(/syntax error/i);
    });
    scene.write("www/page.php", '<?php echo "first again";');
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(await bodyOf(spot, { script })).toBe("first again");
  },
);

forEachPhp("one pool's canary that fails leaves every pool as it was", {}, async (scene, php) => {
  const [good, bad, fresh] = [await tcpSpot(scene), await tcpSpot(scene), unixSpot(scene)];
  const kind = kindOf(php);
  const supervisor = await scene.start({
    pools: { good: poolOf(scene, kind, good, "old"), bad: poolOf(scene, kind, bad, "old") },
  });
  const before = [...(await workersReach(good, 2)), ...(await workersReach(bad, 2))];
  scene.rewrite({
    pools: {
      good: poolOf(scene, kind, good, "new"),
      bad: poolOf(scene, kind, bad, "new", "status"),
      fresh: poolOf(scene, kind, fresh, "new"),
    },
  });
  const outcome = await supervisor.control("reload");
  expect(outcome).toMatchObject({ code: 1 });
  expect(outcome.stderr).toContain("pool bad");
  expect([...(await workersReach(good, 2)), ...(await workersReach(bad, 2))]).toEqual(before);
  await closed(fresh);
  expect(existsSync(fresh.listen)).toBe(false);
  expect(canaries(scene)).toEqual([]);
  expect(await supervisor.control("reload", "good")).toMatchObject({ code: 0 });
  expect(await bodyOf(good, kind.page(scene))).toBe("new");
});

behaviour("the status that counts as healthy can be another than 200", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.write("www/ping.php", "<?php http_response_code(204);");
  const health = { script, status: 204, timeout: PATIENT };
  const supervisor = await scene.start({ pools: { www: phpPool(spot, { health }) } });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  scene.write("www/ping.php", '<?php echo "fine";');
  const outcome = await supervisor.control("reload");
  expect(outcome).toMatchObject({ code: 1 });
  expect(outcome.stderr).toContain("status 200 instead of 204");
});

behaviour("a health page without end is not taken into memory", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.write("www/ping.php", '<?php echo "fine";');
  const health = { script, timeout: PATIENT };
  const supervisor = await scene.start({ pools: { www: phpPool(spot, { health }) } });
  scene.write("www/ping.php", "<?php while (true) { echo str_repeat('x', 65536); flush(); }");
  const outcome = await supervisor.control("reload");
  expect(outcome).toMatchObject({ code: 1 });
  expect(outcome.stderr).toContain("the answer is longer than 4194304 bytes");
  expect(rssOf(supervisor.pid)).toBeLessThan(256 * 1024);
});

behaviour("health works for a pool with a long name in a deep folder", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.write("www/ping.php", '<?php echo "pong";');
  const name = "a-customer-with-a-rather-long-name-and-another-one-for-staging";
  const supervisor = await scene.start({
    supervisor: { state_dir: scene.path("run/of/a/customer/in/a/deep/folder") },
    admin: { socket: scene.path("run/admin.sock") },
    pools: { [name]: phpPool(spot, { health: { script, expect: "pong", timeout: PATIENT } }) },
  });
  expect(await bodyOf(spot, { script })).toBe("pong");
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
});

forEachPhp(
  "after a crash, a start with a bad canary leaves the old workers serving",
  {},
  async (scene, php) => {
    const kind = kindOf(php);
    const { spot, pool, supervisor: dead, before } = await startOld(scene, kind);
    await servedBy("old", spot, kind.page(scene), async () => {
      await crash(dead);
      scene.rewrite({ pools: { app: poolOf(scene, kind, spot, "new", "status") } });
      const { outcome } = await startAgain(scene, dead);
      expect(outcome).toMatchObject({ code: 1 });
      expect(outcome.stderr).toMatch(REASONS.status);
      expect(await workersReach(spot, 2)).toEqual(before);
      scene.rewrite({ pools: { app: pool } });
      await recovered(scene, dead);
    });
  },
);

behaviour(
  "kill -9 while a canary is asked: the next start works, and no canary is left",
  PHP,
  async (scene) => {
    const kind = kindOf(PHP_CGI);
    const { spot, pool, supervisor: dead, before } = await startOld(scene, kind);
    const { path, reached } = gate(scene);
    const health = {
      script: scene.fixture("php/gate.php"),
      path: `/gate.php?${path}`,
      timeout: PATIENT,
    };
    scene.rewrite({ pools: { app: { ...poolOf(scene, kind, spot, "new"), health } } });
    const reload = dead.control("reload");
    const canary = await reached();
    expect(newPrograms(scene)).toContain(canary);
    expect(canaries(scene).length).toBe(1);
    await crash(dead);
    expect((await reload).code).toBe(1);
    expect(await workersReach(spot, 2)).toEqual(before);
    scene.rewrite({ pools: { app: pool } });
    const supervisor = await recovered(scene, dead);
    await eventually(() => !alive(canary), { what: "the canary is gone" });
    expect(canaries(scene)).toEqual([]);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(await bodyOf(spot, kind.page(scene))).toBe("old");
    expect(canaries(scene)).toEqual([]);
  },
);
