// Without a config file: `run --listen … -- COMMAND`, and the demo.

import { expect } from "bun:test";
import { chownSync, copyFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { phpFpmProgram, SEARCH_PATH } from "../helper/packages.ts";
import { bodyOf, tcpSpot, workersReach } from "../helper/pool.ts";
import { alive, commandOf, leadersAt, listenersAt } from "../helper/processes.ts";
import { BINARY, ready } from "../helper/program.ts";
import { AM_ROOT, AS_NOBODY, behaviour, NOBODY, type Scene } from "../helper/scene.ts";
import { eventually, LONGEST_MS, within } from "../helper/wait.ts";

const USER = AM_ROOT ? ["--user", "www-data"] : [];

async function runs(scene: Scene, words: readonly string[], socket: string, env = {}) {
  const child = scene.spawn([BINARY, "run", ...words], { env });
  await eventually(() => existsSync(socket), { what: `${socket}: ${child.stderr()}` });
  return child;
}

behaviour(
  "run --listen ADDRESS --workers N -- php-cgi supervises at once",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const socket = scene.path("ctl.sock");
    const words = ["--listen", spot.listen, "--workers", "4", "--socket", socket, ...USER];
    const child = await runs(scene, [...words, "--", "php-cgi"], socket);
    const before = await workersReach(spot, 4);
    expect(leadersAt(spot.where).length).toBe(1);
    expect(await bodyOf(spot, { script })).toBe("hello world");

    const status = await scene.fcgivisor(["status", "--socket", socket]);
    expect(status).toMatchObject({ code: 0 });
    expect(status.stdout).toContain(spot.listen);
    expect(await scene.fcgivisor(["reload", "--socket", socket])).toMatchObject({ code: 0 });
    const after = await workersReach(spot, 4);
    expect(after.some((pid) => before.includes(pid))).toBe(false);
    expect(await scene.fcgivisor(["quit", "--socket", socket])).toMatchObject({ code: 0 });
    expect(await within("the end of run", child.exited), child.stderr()).toBe(0);
    expect(listenersAt(spot.where)).toEqual([]);
    expect(existsSync(socket)).toBe(false);
  },
);

behaviour("the program's own options stay its own", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const socket = scene.path("ctl.sock");
  const program = scene.fixture("fcgi/bare.pl");
  const words = ["--listen", spot.listen, "--workers", "1", "--socket", socket, ...USER];
  await runs(scene, [...words, "--", program, "--workers", "-c", "x"], socket);
  const [pid] = await workersReach(spot, 1);
  expect(commandOf(pid!).slice(-4)).toEqual([program, "--workers", "-c", "x"]);
});

behaviour(
  "without --socket it is found at the user's own place",
  { needs: ["root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const program = scene.fixture("fcgi/bare.pl");
    const binary = scene.path("fcgivisor");
    copyFileSync(BINARY, binary);
    mkdirSync(scene.path("xdg"));
    for (const path of [scene.dir, scene.path("xdg")]) chownSync(path, NOBODY, NOBODY);
    const env = { XDG_RUNTIME_DIR: scene.path("xdg") };
    const ours = [...AS_NOBODY, binary];
    const child = scene.spawn([...ours, "run", "--listen", spot.listen, "--", program], {
      env,
    });
    await ready(scene.path("xdg/fcgivisor/admin.sock"), () => alive(child.pid));
    const quit = await scene.command([...ours, "quit"], { env });
    expect(quit).toMatchObject({ code: 0 });
    expect(await within("the end of run", child.exited), child.stderr()).toBe(0);
  },
);

behaviour(
  "run without a program, or with a bad address, says what is missing",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const bare = await scene.fcgivisor(["run", "--listen", spot.listen]);
    expect(bare.code).toBe(2);
    const bad = await scene.fcgivisor(["run", "--listen", "nowhere:x", ...USER, "--", "php-cgi"]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain("nowhere:x");
    expect(bad.stderr).not.toContain("--listen: --listen");
  },
);

for (const [title, words, needs] of [
  ["the embedded responder", ["--embedded"], []],
  ["php-fpm", [], ["php-fpm"]],
] as const) {
  behaviour(`the demo with ${title} loses nothing`, { needs }, async (scene) => {
    const PATH = `${dirname(phpFpmProgram() ?? "/")}:${SEARCH_PATH}`;
    const options = { timeout: 8 * LONGEST_MS, env: { PATH } };
    const outcome = await scene.fcgivisor(["demo", ...words], options);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout).toContain(` workers of ${title}, in a temporary folder\n`);
    expect(outcome.stdout.match(/the long request was finished$/gm)).toHaveLength(3);
    expect(outcome.stdout).toMatch(/^ {2}sent [1-9]\d*, lost 0; /m);
    if (title === "php-fpm") expect(outcome.stdout).toContain("came to the end of its script\n");
    expect(outcome.stdout).toMatch(/\nall well: [1-9]\d* requests while 3 reloads ran, 0 lost /);
  });
}

behaviour(
  "options that go with --listen are refused with a config, not ignored",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const program = scene.fixture("fcgi/bare.pl");
    const config = scene.write(
      "one.toml",
      `[supervisor]\nstate_dir = "run"\n[pools.www]\nlisten = "${spot.listen}"\ncommand = ["${program}"]\n`,
    );
    for (const words of [
      ["--workers", "2"],
      ["--user", "games"],
      ["--group", "games"],
    ]) {
      const outcome = await scene.fcgivisor(["start", "-c", config, ...words]);
      expect(outcome.code, words[0]).toBe(2);
      expect(outcome.stderr).toContain(`${words[0]} goes with --listen`);
    }
  },
);

behaviour("--php-ini counts without a config file too", { needs: ["php-cgi"] }, async (scene) => {
  const spot = await tcpSpot(scene);
  const ini = scene.write("own.ini", "short_open_tag = (\n");
  const options = ["--socket", scene.path("ctl.sock"), "--php-ini", ini, ...USER];
  const words = ["run", "--listen", spot.listen, ...options, "--", "php-cgi"];
  const outcome = await scene.fcgivisor(words);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain("own.ini");
});

behaviour(
  "a socket path in a folder that may not be entered is named",
  { needs: ["root"] },
  async (scene) => {
    const [home, closed] = [scene.path("home"), scene.path("closed")];
    mkdirSync(home);
    chownSync(home, NOBODY, NOBODY);
    mkdirSync(closed, { mode: 0o700 });
    const words = ["run", "--listen", `${closed}/x.sock`, "--", scene.fixture("fcgi/bare.pl")];
    const outcome = await scene.command([...AS_NOBODY, BINARY, ...words], {
      env: { XDG_RUNTIME_DIR: home },
    });
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain(
      `${closed}/x.sock: no permission to open the listening socket`,
    );
    expect(outcome.stderr).not.toContain("    at ");
  },
);
