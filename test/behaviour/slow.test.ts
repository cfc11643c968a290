// slow_timeout and slow_log: a request that takes long is told of, with what it waits for and its stack, twice;
// and however many short ones come one after the other, none of them is ever told of, or ended.

import { expect } from "bun:test";
import { existsSync, readFileSync, renameSync, statSync, symlinkSync } from "node:fs";
import { fcgi, type FcgiRequest } from "../helper/fcgi.ts";
import { gate, hold, holdPhp } from "../helper/gate.ts";
import { KeptConnection } from "../helper/kept.ts";
import { forEachPhp } from "../helper/php.ts";
import { behaviour } from "../helper/scene.ts";
import { runBare, runPhp, startPhp } from "../helper/serving.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

/** The entries of a slow log, each without its empty line. */
function entries(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n\n").slice(0, -1);
}

function written(file: string, count: number): Promise<string[]> {
  return eventually(
    () => {
      const all = entries(file);
      return all.length >= count ? all : null;
    },
    { what: `${count} entries in ${file}` },
  );
}

forEachPhp(
  "a slow request is written at the limit and at four times that, with its stack",
  {},
  async (scene, php) => {
    const file = scene.path("slow.log");
    const { spot, supervisor } = await php.run(scene, { slow_timeout: "300ms", slow_log: file });
    const held = await holdPhp(scene, spot);
    const [first, second] = await written(file, 2);
    const script = scene.fixture("php/gate.php");
    const lines = first!.split("\n");
    expect(lines[0]).toMatch(
      new RegExp(`^\\[\\d{4}-\\d\\d-\\d\\dT\\S+\\] \\[pool www\\] pid ${held.worker}$`),
    );
    expect(lines[1]).toBe("request = GET /gate.php");
    expect(lines[2]).toBe(`script_filename = ${script}`);
    expect(lines[3]).toMatch(/^duration = [0-9.]+ m?s \(slow_timeout is 300 ms\)$/);
    expect(lines[4]).toMatch(
      /^waiting = (sleeping \(clock_nanosleep\)|running on the CPU|.*\(\w+\))$/,
    );
    expect(lines[5]).toMatch(/^cpu = [0-9.]+ m?s$/);
    expect(lines.at(-1)).toMatch(new RegExp(`^\\{main\\} ${script}:(8|9|10)$`));
    expect(second!).toMatch(/^duration = (1\.[2-9]|[2-9]|\d\d)/m);
    await supervisor.logged(
      new RegExp(
        `worker ${held.worker} of pool www has been in GET /gate\\.php for .*; more is in ${file}`,
      ),
    );
    // The third request that is slow shows that the first was not told of a third time.
    await held.finish();
    const next = await holdPhp(scene, spot);
    const all = await written(file, 3);
    expect(all[2]).toContain(`pid ${next.worker}`);
    expect(all[2]).toContain("duration = ");
    await next.finish();
  },
);

behaviour("request_timeout writes what the request was doing, and ends it", PHP, async (scene) => {
  const file = scene.path("slow.log");
  const { spot, supervisor } = await runPhp(scene, { request_timeout: "400ms", slow_log: file });
  const script = scene.fixture("php/gate.php");
  const at = gate(scene);
  await expect(fcgi(spot.where, { script, query: at.path })).rejects.toThrow();
  const [entry] = await written(file, 1);
  expect(entry).toContain(`pid ${at.at()}`);
  expect(entry).toMatch(/^duration = [0-9.]+ m?s \(request_timeout is 400 ms, and is ended\)$/m);
  expect(entry).toMatch(/^\{main\} \S+gate\.php:\d+$/m);
  await supervisor.logged(
    /is killed: GET \/gate\.php has taken .*request_timeout is 400 ms; it was /,
  );
});

behaviour(
  "without slow_log the top of the stack is in the log; another program has none",
  PHP,
  async (scene) => {
    const php = await runPhp(scene, { slow_timeout: "200ms" });
    const held = await holdPhp(scene, php.spot);
    await php.supervisor.logged(
      /has been in GET \/gate\.php for .*slow_timeout is 200 ms\n( {4}.*\n)* {4}\{main\} \S+gate\.php:\d+\n/,
    );
    await held.finish();
  },
);

behaviour("a program of another kind is told of without a stack", {}, async (scene) => {
  const file = scene.path("slow.log");
  const { spot } = await runBare(scene, { slow_timeout: "200ms", slow_log: file });
  const held = await hold(scene, spot);
  const [entry] = await written(file, 1);
  expect(entry!.split("\n").map((line) => line.split(" ")[0])).toEqual([
    entry!.split(" ")[0]!,
    "duration",
    "waiting",
    "cpu",
  ]);
  await held.finish();
});

behaviour("logrotate reopens the slow log; a reload takes up another one", PHP, async (scene) => {
  const [file, other] = [scene.path("slow.log"), scene.path("other.log")];
  const { spot, supervisor } = await startPhp(scene, { slow_timeout: "100ms", slow_log: file });
  expect(statSync(file).mode & 0o777).toBe(0o640);
  const slow = async (log: string) => {
    const held = await holdPhp(scene, spot);
    const [entry] = await written(log, 1);
    expect(entry).toContain(`pid ${held.worker}`);
    await held.finish();
  };
  await slow(file);
  renameSync(file, `${file}.1`);
  const rotated = await supervisor.control("logrotate");
  expect(rotated).toMatchObject({ code: 0 });
  expect(rotated.stdout).toContain(file);
  await slow(file);
  const config = readFileSync(scene.path("fcgivisor.toml"), "utf8");
  scene.write("fcgivisor.toml", config.replace(file, other));
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  await slow(other);
});

behaviour(
  "a slow log whose folder is not there is refused, and a reload changes nothing",
  PHP,
  async (scene) => {
    const { supervisor, workers } = await startPhp(scene, { slow_timeout: "1s" });
    const file = scene.path("nowhere/slow.log");
    const config = readFileSync(scene.path("fcgivisor.toml"), "utf8");
    scene.write(
      "fcgivisor.toml",
      config.replace('slow_timeout = "1s"', `slow_timeout = "1s"\nslow_log = "${file}"`),
    );
    const refused = await supervisor.control("reload");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain("pool www: its slow log cannot be opened");
    expect(refused.stderr).toContain(`mkdir -p ${scene.path("nowhere")}`);
    expect((await supervisor.control("status", "--json")).stdout).toContain(String(workers[0]));
  },
);

behaviour(
  "a link that others have made in the place of the slow log is not followed",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const folder = scene.path("open");
    scene.write("open/x", "");
    Bun.spawnSync(["chmod", "1777", folder]);
    const target = scene.write("target", "mine\n");
    symlinkSync(target, `${folder}/slow.log`);
    const config = scene.daemonConfig({
      pools: {
        www: {
          listen: scene.path("www.sock"),
          command: ["php-cgi"],
          slow_log: `${folder}/slow.log`,
        },
      },
    });
    const started = await scene.fcgivisor(["start", "-c", config]);
    expect(started).toMatchObject({ code: 1 });
    expect(started.stderr).toContain(
      "another name of some file, in a folder that others can write in",
    );
    expect(readFileSync(target, "utf8")).toBe("mine\n");
  },
);

// ---------------------------------------------------------------- short requests, one after the other

/** A limit that no short request takes, on however slow a machine; they go on for three times as long. */
const LIMIT_MS = 3000;
const REQUESTS = 20_000;

async function manyShort(one: (request: FcgiRequest) => Promise<unknown>, script: string) {
  const since = performance.now();
  let count = 0;
  for (; count < REQUESTS || performance.now() - since < 3 * LIMIT_MS; count++) {
    await one({ script });
    if (performance.now() - since > 60_000) break;
  }
  return count;
}

const LIMITS = { request_timeout: `${LIMIT_MS}ms`, slow_timeout: `${LIMIT_MS}ms`, workers: 1 };

for (const how of ["over one kept connection", "on a connection each"]) {
  behaviour(`short requests back to back, ${how}: none is ended or told of`, PHP, async (scene) => {
    const { spot, supervisor, workers } = await runPhp(scene, LIMITS);
    const script = scene.fixture("php/hello.php");
    const kept = how === "over one kept connection" ? new KeptConnection(spot.where) : null;
    const one = (request: FcgiRequest) => kept?.request(request) ?? fcgi(spot.where, request);
    const count = await manyShort(one, script);
    expect(count).toBeGreaterThan(1000);
    kept?.close();
    // One that does take long is ended after them, and nothing was before.
    const held = await hold(scene, spot, { script: scene.fixture("php/gate.php") });
    expect(held.worker).toBe(workers[0]!);
    await expect(held.answer).rejects.toThrow();
    await supervisor.logged("request_timeout is 3 s");
    expect(supervisor.log().match(/(slow|request)_timeout is/g)).toHaveLength(1);
  });
}
