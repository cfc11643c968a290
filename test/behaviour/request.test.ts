// `fcgivisor request`: a whole FastCGI client on the command line.

import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { phpPool, tcpSpot, type Spot } from "../helper/pool.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { runPhp } from "../helper/serving.ts";

const PHP = { needs: ["php-cgi"] } as const;

async function running(scene: Scene): Promise<{ spot: Spot; config: string; root: string }> {
  scene.fixture("php/echo.php");
  const { spot, supervisor } = await runPhp(scene);
  return { spot, config: supervisor.configFile, root: scene.path("www/php") };
}

behaviour(
  "request prints the body on stdout and the program's stderr apart",
  PHP,
  async (scene) => {
    const { config, root } = await running(scene);
    const outcome = await scene.fcgivisor([
      "request",
      "/echo.php?a=1&b=2",
      "-c",
      config,
      "--root",
      root,
    ]);
    expect(outcome.code).toBe(0);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ method: "GET", query: "a=1&b=2" });
    expect(outcome.stderr).toContain("noted by echo.php");
  },
);

behaviour("request takes method, headers, params and a body from stdin", PHP, async (scene) => {
  const { config, root } = await running(scene);
  const words = ["-X", "PUT", "--header", "X-Test: yes", "--param", "MY_PARAM=mine"];
  const outcome = await scene.fcgivisor(
    ["request", "/echo.php", ...words, "--data", "-", "-c", config, "--root", root],
    { input: "from stdin" },
  );
  expect(outcome).toMatchObject({ code: 0 });
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    method: "PUT",
    body: "from stdin",
    test: "yes",
    param: "mine",
  });
});

behaviour("request exits 0 for 2xx and 3xx, 1 for 4xx and 5xx", PHP, async (scene) => {
  const { config, root } = await running(scene);
  for (const [status, code] of [
    [204, 0],
    [304, 0],
    [404, 1],
    [503, 1],
  ] as const) {
    const path = `/echo.php?status=${status}`;
    const outcome = await scene.fcgivisor(["request", path, "-c", config, "--root", root]);
    expect({ status, code: outcome.code }).toEqual({ status, code });
  }
});

behaviour("request to an address where nobody listens says so", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const outcome = await scene.fcgivisor(["request", "/x.php", "--to", spot.listen]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain(spot.listen);
});

behaviour("a body that cannot be read is named, with what to do", {}, async (scene) => {
  for (const [file, said] of [
    [scene.dir, "this is a directory"],
    [scene.path("none"), "ENOENT"],
  ] as const) {
    const outcome = await scene.fcgivisor([
      "request",
      "/",
      "--to",
      "127.0.0.1:1",
      "-d",
      `@${file}`,
    ]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain(`${file}: cannot read the body`);
    expect(outcome.stderr).toContain(said);
    expect(outcome.stderr).toContain("hint: name a file that this user may read");
  }
});

behaviour(
  "request and bench know the document root while the config is broken, and tell what they sent",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const root = dirname(script);
    const supervisor = await scene.start({ pools: { www: phpPool(spot, { chdir: root }) } });
    writeFileSync(supervisor.configFile, "broken = [");
    const words = ["-c", supervisor.configFile];
    const asked = await scene.fcgivisor(["request", "/hello.php", ...words]);
    expect(asked).toMatchObject({ code: 0, stdout: "hello world" });
    const bench = ["bench", "/hello.php", "--duration", "100ms", "--rate", "20", ...words];
    expect((await scene.fcgivisor(bench)).stdout).toContain("lost    0\n");

    const none = await scene.fcgivisor(["request", "/none.php", ...words]);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain(
      `no script at SCRIPT_FILENAME = ${root}/none.php, below ${root}: the pool's chdir`,
    );
    const here = await scene.fcgivisor(["request", "/none.php", "--root", scene.dir, ...words]);
    expect(here.stderr).toContain(`${scene.dir}/none.php, below ${scene.dir}: given by --root`);
    const lost = await scene.fcgivisor([...bench, "--script", scene.path("no.php")]);
    expect(lost.stdout).toContain(`there is no script ${scene.path("no.php")}`);
  },
);

behaviour("request takes the pool before the path, as bench does", PHP, async (scene) => {
  const [a, b] = [await tcpSpot(scene), await tcpSpot(scene)];
  const pools = { a: phpPool(a, { env: { POOL: "a" } }), b: phpPool(b, { env: { POOL: "b" } }) };
  const script = scene.write("pool.php", '<?php echo getenv("POOL");', 0o644);
  const { configFile } = await scene.run({ pools });
  const ask = (...words: string[]) =>
    scene.fcgivisor(["request", ...words, "-c", configFile, "--script", script]);
  expect(await ask("b", "/pool.php")).toMatchObject({ code: 0, stdout: "b" });
  expect(await ask("/pool.php", "--pool", "b")).toMatchObject({ code: 0, stdout: "b" });
  expect(await ask("/pool.php")).toMatchObject({ code: 0, stdout: "a" });
  expect(await ask("pool.php")).toMatchObject({ code: 0, stdout: "a" });
  for (const [words, told] of [
    [["b"], "request needs a URL-PATH after the pool b"],
    [["b", "/pool.php", "--pool", "a"], "--pool and the pool b: one of them is enough"],
    [["b", "/pool.php", "--to", "127.0.0.1:1"], "with --to, request takes a URL-PATH and no pool"],
    [[], "request needs a URL-PATH"],
  ] as const) {
    const outcome = await ask(...words);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain(told);
  }
});
