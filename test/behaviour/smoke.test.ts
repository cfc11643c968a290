// A pool's own smoke requests: asked by hand, in a pipeline without a supervisor, and of the canary at a reload.

import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { phpPool, tcpSpot, unixSpot } from "../helper/pool.ts";
import { AM_ROOT, behaviour, type Scene } from "../helper/scene.ts";
import { onTerminal } from "../helper/terminal.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { alive } from "../helper/processes.ts";
import { eventually } from "../helper/wait.ts";

const NEEDS = { needs: ["php-cgi"] } as const;

/** A small application, and requests that it passes. */
function application(scene: Scene) {
  scene.write("www/ping.php", "<?php echo 'pong';");
  scene.write("www/index.php", "<?php echo 'home ', $_SERVER['HTTP_X_KEY'] ?? '-';");
  scene.write(
    "www/form.php",
    "<?php http_response_code(201); echo $_SERVER['REQUEST_METHOD'], ' ', $_POST['a'] ?? '?';",
  );
  scene.write(
    "www/warn.php",
    "<?php error_log(\"careful <&> \\x1b[2J\"); http_response_code(500); echo 'no';",
  );
  const type = { "Content-Type": "application/x-www-form-urlencoded" };
  return [
    { path: "/ping.php", expect: "pong" },
    { path: "/", headers: { "X-Key": "k1" }, expect: "home k1" },
    { path: "/form.php", headers: type, body: "a=7", status: 201, expect: "POST 7" },
  ];
}

const pool = (scene: Scene, listen: string, smoke: unknown[]) => ({
  ...phpPool({ where: { path: listen }, listen }),
  chdir: scene.path("www"),
  smoke,
});

behaviour(
  "what passes is told, what fails with the reason, in text, JSON and JUnit XML",
  NEEDS,
  async (scene) => {
    const good = application(scene);
    const spot = await tcpSpot(scene);
    const bad = { path: "/warn.php", expect: "yes", timeout: "10m" };
    const settings = (smoke: unknown[]) => ({
      pools: {
        // A script that is changed is read again at once.
        www: {
          ...phpPool(spot, { php: { defines: { "opcache.enable": "0" } } }),
          chdir: scene.path("www"),
          smoke,
        },
        bare: pool(scene, scene.path("bare.sock"), []),
      },
    });
    const supervisor = await scene.start(settings(good));
    const passed = await supervisor.control("smoke");
    expect([passed.code, passed.stderr]).toEqual([0, ""]);
    expect(passed.stdout).toMatch(/^www {2}ok {6}GET \/ping\.php, 200 in \d+/m);
    expect(passed.stdout).toContain("POST /form.php, 201");
    expect(passed.stdout).toEndWith("3 requests passed\n");
    expect((await supervisor.control("smoke", "-q")).stdout).toBe("");

    // A reload would not take it on; the program that answers may change all the same.
    scene.write("www/ping.php", "<?php echo 'something else';");
    const failed = await supervisor.control("smoke", "--junit", scene.path("junit.xml"));
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/^www {2}FAILED {2}GET \/ping\.php/m);
    expect(failed.stdout).toContain('a body without "pong": "something else"');
    expect(failed.stdout).toEndWith("1 of 3 failed\n");
    const xml = Bun.XML.parse(textOf(scene.path("junit.xml"))) as Record<string, never>;
    expect(JSON.stringify(xml)).toContain("GET /ping.php");
    expect(textOf(scene.path("junit.xml"))).toContain('tests="3" failures="1"');

    const json = JSON.parse((await supervisor.control("smoke", "--json")).stdout);
    expect(json).toMatchObject({ ok: false, passed: 2, failed: 1 });
    expect(json.requests[0]).toMatchObject({
      pool: "www",
      path: "/ping.php",
      ok: false,
      status: 200,
    });

    const none = await supervisor.control("smoke", "bare");
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringContaining("no pool has smoke requests"),
    ]);
    const unknown = await supervisor.control("smoke", "ww");
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining('did you mean "www"?'),
    ]);
    const nowhere = await supervisor.control("smoke", "--junit", scene.path("missing/x.xml"));
    expect([nowhere.code, nowhere.stderr]).toEqual([
      1,
      expect.stringContaining("cannot be written"),
    ]);

    // The canary is asked as well: a generation that does not pass meets no client.
    scene.write("www/ping.php", "<?php echo 'pong';");
    scene.rewrite(settings([...good, bad]));
    const refused = await supervisor.control("reload");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      "the smoke request GET /warn.php with status 500 instead of 200",
    );
    expect(refused.stderr).toContain("careful <&> \\x1b[2J");
    expect((await supervisor.control("smoke")).stdout).toEndWith("3 requests passed\n");
    scene.rewrite(settings([...good, { ...bad, status: 500, expect: "no" }]));
    expect((await supervisor.control("reload")).code).toBe(0);
    expect((await supervisor.control("smoke")).stdout).toEndWith("4 requests passed\n");
  },
);

behaviour("who does not run is not asked", {}, async (scene) => {
  const config = scene.config({
    pools: { www: pool(scene, scene.path("w.sock"), [{ path: "/" }]) },
  });
  expect(await scene.fcgivisor(["smoke", "-c", config])).toMatchObject({ code: 3, stdout: "" });
});

behaviour(
  "--fresh needs no supervisor, disturbs none, and leaves nothing",
  NEEDS,
  async (scene) => {
    const good = application(scene);
    const spot = await tcpSpot(scene);
    const www = { ...phpPool(spot, { allowed_clients: ["127.0.0.1"] }), chdir: scene.path("www") };
    const config = scene.daemonConfig({ pools: { www: { ...www, smoke: good } } });
    const env = { TMPDIR: scene.path() };
    const fresh = (...words: string[]) =>
      scene.fcgivisor(["smoke", "--fresh", "-c", config, ...words], { env });
    expect(await fresh()).toMatchObject({ code: 0 });
    // The one that runs has the same port.
    expect((await scene.fcgivisor(["start", "-c", config])).code).toBe(0);
    const supervisor = scene.followDaemon(config);
    expect((await fresh()).stdout).toEndWith("3 requests passed\n");
    expect(await supervisor.control("status")).toMatchObject({ code: 0 });
    scene.write("www/form.php", "<?php echo 'broken';");
    const junit = scene.path("fresh.xml");
    const failed = await fresh("--junit", junit);
    expect([failed.code, failed.stderr]).toEqual([1, ""]);
    expect(failed.stdout).toMatch(/^www {2}FAILED {2}POST \/form\.php/m);
    expect(failed.stdout).toEndWith("1 of 3 failed\n");
    expect(textOf(junit)).toContain('tests="3" failures="1"');
    expect(readdirSync(scene.dir).filter((name) => name.startsWith("fcgivisor-"))).toEqual([]);
    scene.rewrite({ pools: { www: { ...www, command: ["/bin/false"], smoke: good } } });
    const down = await fresh();
    expect([down.code, down.stdout]).toEqual([1, ""]);
    expect(down.stderr).toContain("the throw-away supervisor did not start");
    expect(readdirSync(scene.dir).filter((name) => name.startsWith("fcgivisor-"))).toEqual([]);
  },
);

behaviour(
  "with: the command finds the pool, its exit code is passed on, the log is printed",
  NEEDS,
  async (scene) => {
    application(scene);
    const env = { TMPDIR: scene.path() };
    const cwd = scene.path("www");
    const run = (exec: string, ...words: string[]) =>
      scene.fcgivisor(["with", "--exec", exec, ...words], { env, cwd });
    const asked = await run(
      `${BINARY} request / -q && ${BINARY} request /ping.php -q --to "$FCGI_ADDRESS"`,
      "--",
      "php-cgi",
    );
    expect([asked.code, asked.stdout, asked.stderr]).toEqual([0, "home -pong", ""]);
    const failed = await run("exit 7", "--", "php-cgi");
    expect([failed.code, failed.stdout]).toEqual([7, ""]);
    expect(failed.stderr).toContain("the command exited with 7; the log:\n");
    expect(failed.stderr).toContain("fcgivisor is ready");
    expect((await run("kill -TERM $$", "--", "php-cgi")).code).toBe(143);
    const config = scene.config({ pools: { "my-app": pool(scene, scene.path("w.sock"), []) } });
    const named = await run('[ "$FCGI_ADDRESS" = "$FCGI_ADDRESS_MY_APP" ]', "-c", config);
    expect([named.code, named.stderr]).toEqual([0, ""]);
    for (const [words, said] of [
      [["with", "--", "php-cgi"], "with needs --exec COMMAND"],
      [["with", "-c", config, "--exec", "true", "--", "php-cgi"], "give either"],
      [["with", "--exec", "true", "--workers", "x", "--", "php-cgi"], "not a number"],
    ] as const)
      expect(await scene.fcgivisor(words)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(said),
      });
    expect(readdirSync(scene.dir).filter((name) => name.startsWith("fcgivisor-"))).toEqual([]);
  },
);

behaviour("killed in the middle, `with` takes its supervisor along", NEEDS, async (scene) => {
  application(scene);
  const mark = scene.path("ready");
  const words = [BINARY, "with", "--exec", `echo $PPID > ${mark}; sleep 600`, "--", "php-cgi"];
  const terminal = onTerminal(scene, words, { TMPDIR: scene.path() });
  await eventually(() => textOf(mark) !== "", { what: "the command runs" });
  const folder = readdirSync(scene.dir).find((name) => name.startsWith("fcgivisor-"))!;
  const pid = Number(/as process (\d+)/.exec(textOf(scene.path(folder, "fcgivisor.log")))![1]);
  expect(alive(pid)).toBe(true);
  process.kill(Number(textOf(mark)), "SIGKILL");
  await terminal.exited;
  await eventually(() => !alive(pid), { what: "the supervisor has followed" });
});

behaviour("what stands in `smoke` is read strictly", {}, async (scene) => {
  const said = async (smoke: string) => {
    const user = AM_ROOT ? 'user = "www-data"\n' : "";
    const text = `[pools.www]\nlisten = "${scene.path("x.sock")}"\ncommand = ["/bin/sh"]\n${user}smoke = ${smoke}\n`;
    return (await scene.fcgivisor(["check", scene.write("c.toml", text)])).stderr;
  };
  expect(await said('[{ path = "/" }]')).toBe("");
  expect(await said('{ path = "/" }')).toContain("expected an array of tables");
  expect(await said('[{ path = "/" }, {}]')).toContain('item 2: "path" is missing');
  expect(await said('[{ path = "x" }]')).toContain("item 1: path: ");
  expect(await said('[{ path = "/", expects = "x" }]')).toContain('did you mean "expect"?');
  expect(await said('[{ path = "/", status = 99 }]')).toContain("item 1: status: ");
  expect(await said('[{ path = "/", method = "get" }]')).toContain("item 1: method: ");
  expect(await said('[{ path = "/", headers = { "a b" = "x" } }]')).toContain(
    "cannot be the name of a header",
  );
});

behaviour("request --fail-on-stderr fails on what PHP warns of", NEEDS, async (scene) => {
  application(scene);
  scene.write("www/quiet-warning.php", "<?php error_log('careful'); echo 'fine';");
  const spot = unixSpot(scene);
  const supervisor = await scene.start({
    pools: { www: { ...phpPool(spot), chdir: scene.path("www") } },
  });
  const path = "/quiet-warning.php";
  expect((await supervisor.control("request", path)).code).toBe(0);
  const strict = await supervisor.control("request", path, "--fail-on-stderr");
  expect([strict.code, strict.stdout]).toEqual([1, "fine"]);
  expect(strict.stderr).toContain("careful");
  expect(strict.stderr).toContain("wrote on its FastCGI stderr");
  expect((await supervisor.control("request", "/ping.php", "--fail-on-stderr")).code).toBe(0);
});
