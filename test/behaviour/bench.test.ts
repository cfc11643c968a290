// `fcgivisor bench`: everybody's own proof, so it must neither miss a loss nor invent one.

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tcpSpot, unixSpot, workersReach } from "../helper/pool.ts";
import { BINARY, testEnvironment } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { runPhp } from "../helper/serving.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

interface Found {
  sent: number;
  lost: number;
  losses: Record<string, number>;
  p50_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  longest_gap_ms: number;
  interrupted: boolean;
  reloads: { done: number; durations_ms: number[]; failed: string[]; unfinished: boolean } | null;
}

/** However far behind the machine is: no request is late, and no reload is waited for too long. */
const PATIENT = ["--timeout", "10m"];

async function bench(scene: Scene, ...words: string[]): Promise<{ code: number; found: Found }> {
  const outcome = await scene.fcgivisor(["bench", "--json", ...PATIENT, ...words]);
  return { code: outcome.code, found: JSON.parse(outcome.stdout) as Found };
}

/** One that goes on until the test has seen enough. */
function endless(scene: Scene, ...words: string[]) {
  const child = Bun.spawn([BINARY, "bench", "--json", "--duration", "1h", ...PATIENT, ...words], {
    stdout: "pipe",
    stderr: "inherit",
    env: testEnvironment(scene.dir),
  });
  return {
    async interrupt(): Promise<{ code: number; found: Found }> {
      child.kill("SIGINT");
      const found = JSON.parse(await new Response(child.stdout).text()) as Found;
      return { code: await child.exited, found };
    },
  };
}

behaviour("bench reloads a pool meanwhile, and loses nothing", PHP, async (scene) => {
  scene.fixture("php/hello.php");
  const { spot, supervisor, workers: before } = await runPhp(scene, {}, unixSpot(scene));
  const { configFile, log } = supervisor;
  const words = ["www", "/hello.php", "-c", configFile, "--root", scene.path("www/php")];
  const load = ["--rate", "50", "--expect", "hello", "--reload-every", "300ms"];
  const running = endless(scene, ...words, ...load);
  await eventually(() => log().split("reload done").length > 2, {
    what: "two reloads are done",
  });
  const { code, found } = await running.interrupt();
  expect(found).toMatchObject({ lost: 0, losses: {}, interrupted: true });
  expect(found.sent).toBeGreaterThan(1);
  expect(found.reloads).toMatchObject({ failed: [], unfinished: false });
  expect(found.reloads!.done).toBe(log().split("reload done").length - 1);
  expect(found.reloads!.durations_ms).toHaveLength(found.reloads!.done);
  expect(found.reloads!.durations_ms.every((ms) => ms > 0)).toBe(true);
  expect(code).toBe(0);
  expect((await workersReach(spot, 2)).filter((pid) => before.includes(pid))).toEqual([]);
});

behaviour("bench sends as many as were due, and waits for the last reload", PHP, async (scene) => {
  scene.fixture("php/hello.php");
  const { supervisor } = await runPhp(scene, {}, unixSpot(scene));
  const { configFile, log } = supervisor;
  const words = ["www", "/hello.php", "-c", configFile, "--root", scene.path("www/php")];
  const load = ["--rate", "100", "--duration", "500ms", "--reload-every", "100ms"];
  const { code, found } = await bench(scene, ...words, ...load, "--expect", "hello");
  expect(found).toMatchObject({ sent: 50, lost: 0, losses: {}, interrupted: false });
  expect(found.reloads).toMatchObject({ failed: [], unfinished: false });
  expect(found.reloads!.done).toBeGreaterThan(0);
  expect(found.reloads!.done).toBe(log().split("reload done").length - 1);
  expect(code).toBe(0);
});

behaviour("bench fails when a reload fails, and says why", PHP, async (scene) => {
  scene.fixture("php/hello.php");
  const { supervisor } = await runPhp(scene, {}, unixSpot(scene));
  const { configFile } = supervisor;
  scene.write("fcgivisor.toml", "broken");
  const socket = scene.path("run/admin.sock");
  const words = ["www", "/hello.php", "--socket", socket, "--root", scene.path("www/php")];
  const load = ["--rate", "50", "--duration", "200ms", "--reload-every", "100ms"];
  const { code, found } = await bench(scene, ...words, ...load);
  expect(found).toMatchObject({ sent: 10, lost: 0, reloads: { done: 0, unfinished: false } });
  expect(found.reloads!.failed.length).toBeGreaterThan(0);
  for (const why of found.reloads!.failed) expect(why).toContain(configFile);
  expect(code).toBe(1);
});

behaviour("bench prints lines for people, on any FastCGI address", PHP, async (scene) => {
  scene.fixture("php/hello.php");
  const { spot } = await runPhp(scene);
  const script = ["--script", scene.path("www/php/hello.php"), "--to", spot.listen];
  const load = ["--rate", "100", "--duration", "250ms", "--reload-every", "100ms"];
  const command = ["--reload-command", "echo no >&2; exit 7"];
  const words = ["bench", "/x", ...script, ...load, ...PATIENT, ...command];
  const { code, stdout } = await scene.fcgivisor(words);
  expect(stdout).toMatch(/^sent +25 requests for \/x to 127\.0\.0\.1:\d+, 100 a second, in /m);
  expect(stdout).toMatch(/^lost +0$/m);
  expect(stdout).toMatch(/^time +p50 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms, /m);
  expect(stdout).toMatch(/^gap +[\d.]+ ms at most /m);
  expect(stdout).toMatch(/^reloads 0 done; [1-9]\d* failed, the first: .*exit 7.*no/m);
  expect(code).toBe(1);
});

behaviour("bench counts losses by kind", PHP, async (scene) => {
  const nobody = await tcpSpot(scene);
  const few = ["--rate", "100", "--duration", "100ms"];
  expect(await bench(scene, "/x", "--to", nobody.listen, ...few)).toMatchObject({
    code: 1,
    found: { sent: 10, lost: 10, losses: { refused: 10 }, p50_ms: null },
  });

  const closing = await server(scene, (socket) => socket.end());
  expect((await bench(scene, "/x", "--to", closing, ...few)).found.losses).toEqual({ closed: 10 });

  const mute = await server(scene, () => undefined);
  const quick = ["--timeout", "50ms", "--connections", "2"];
  const { found } = await bench(scene, "/x", "--to", mute, ...few, ...quick);
  expect(found.losses).toEqual({ timeout: 10 });
  // The last of them was due 90 ms after the first.
  expect(found.longest_gap_ms).toBeGreaterThan(90);

  scene.fixture("php/echo.php");
  const { spot } = await runPhp(scene);
  const php = ["--to", spot.listen, "--root", scene.path("www/php"), ...few];
  const bad = await bench(scene, "/echo.php?status=503", ...php);
  expect(bad.found.losses).toEqual({ "bad-status": 10 });
  const other = await bench(scene, "/echo.php", ...php, "--expect", "no such text");
  expect(other.found.losses).toEqual({ unexpected: 10 });
});

/** A server that does this to each connection. */
async function server(scene: Scene, onConnection: (socket: Socket) => void): Promise<string> {
  const spot = await tcpSpot(scene);
  const { port } = spot.where as { port: number };
  const sockets: Socket[] = [];
  const listening = createServer((socket) => {
    sockets.push(socket.resume().on("error", () => undefined));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => listening.listen(port, "127.0.0.1", resolve));
  scene.atEnd(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => void listening.close(() => resolve()));
  });
  return spot.listen;
}

behaviour("bench ends at Ctrl-C, and prints what there is", PHP, async (scene) => {
  scene.fixture("php/hello.php");
  const { spot } = await runPhp(scene, {}, unixSpot(scene));
  // Its own reload command tells that it has begun.
  const script = ["--script", scene.path("www/php/hello.php"), "--to", spot.listen];
  const reload = ["--reload-every", "50ms", "--reload-command", `touch ${scene.path("began")}`];
  const running = endless(scene, "/x", ...script, ...reload);
  await eventually(() => existsSync(scene.path("began")), { what: "the bench has begun" });
  const { code, found } = await running.interrupt();
  expect(found).toMatchObject({ interrupted: true, lost: 0, reloads: { failed: [] } });
  expect(found.sent).toBeGreaterThan(0);
  expect(code).toBe(0);
});

behaviour(
  "bench that makes no sense is a usage error; without a supervisor, exit 3",
  {},
  async (scene) => {
    const wrong = [
      [],
      ["www"],
      ["www", "/x", "more"],
      ["www", "/x", "--rate", "0"],
      ["www", "/x", "--rate", "fast"],
      ["www", "/x", "--duration", "20"],
      ["www", "/x", "--connections", "0"],
      ["www", "/x", "--reload-command", "true"],
      ["/x", "--to", "127.0.0.1:9", "--reload-every", "1s"],
      ["www", "/x", "--to", "127.0.0.1:9"],
    ];
    for (const words of wrong) {
      const outcome = await scene.fcgivisor(["bench", ...words]);
      expect({ words, code: outcome.code }).toEqual({ words, code: 2 });
      expect(outcome.stderr).toContain("hint:");
    }
    const outcome = await scene.fcgivisor([
      "bench",
      "www",
      "/x",
      "--socket",
      scene.path("none.sock"),
    ]);
    expect(outcome.code).toBe(3);
  },
);
