// `fcgivisor trace`: the stack of a PHP worker, read from outside, is what PHP itself says it is; what the
// memory of a worker says, and what is asked for wrongly, does no harm.

import { expect } from "bun:test";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { answersSchema } from "../../src/admin/schema.ts";
import type { StackTrace, Trace } from "../../src/admin/contract.ts";
import { fcgi } from "../helper/fcgi.ts";
import { gate, hold, holdPhp } from "../helper/gate.ts";
import type { Part } from "../helper/packages.ts";
import { divided } from "../helper/parked.ts";
import { forEachPhp } from "../helper/php.ts";
import { type Php, phpOf, type PhpVersion } from "../helper/php-versions.ts";
import { bodyOf, phpPool, secretPhp, type Spot, tcpSpot, workersReach } from "../helper/pool.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, WITHOUT_PTRACE } from "../helper/scene.ts";
import { against } from "../helper/schema.ts";
import { runBare, runPhp, startPhp } from "../helper/serving.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

async function traced(supervisor: Supervisor, ...words: string[]): Promise<Trace> {
  const { code, stdout, stderr } = await supervisor.control("trace", "--json", ...words);
  if (code !== 0) throw new Error(stderr);
  const trace = JSON.parse(stdout) as Trace;
  expect(against(trace, { $ref: "#/definitions/trace" }, answersSchema())).toEqual([]);
  return trace;
}

async function stackOf(supervisor: Supervisor, pid: number): Promise<StackTrace> {
  return (await traced(supervisor, String(pid))).workers[0]!.stack;
}

function names({ frames }: StackTrace): string[] {
  return frames.map((frame) => frame.function);
}

/** Copies a script that goes with others. */
function script(scene: Scene, name: string): string {
  for (const other of ["gate.php", "stack/part.php", "stack/last.php"])
    scene.fixture(`php/${other}`);
  return scene.fixture(`php/stack/${name}`);
}

// ---------------------------------------------------------------- beside debug_backtrace()

interface Engine {
  readonly version: PhpVersion;
  readonly needs: readonly Part[];
  readonly with: "no OPcache" | "OPcache" | "the tracing JIT" | "the function JIT";
}

const ENGINES: readonly Engine[] = [
  { version: "7.4", needs: ["php7.4"], with: "no OPcache" },
  { version: "7.4", needs: ["php7.4"], with: "OPcache" },
  { version: "8.2", needs: ["php-cgi"], with: "no OPcache" },
  { version: "8.2", needs: ["php-cgi", "opcache"], with: "the tracing JIT" },
  { version: "8.4", needs: ["php8.4"], with: "no OPcache" },
  { version: "8.4", needs: ["php8.4"], with: "OPcache" },
  { version: "8.4", needs: ["php8.4"], with: "the function JIT" },
];

const JIT = { "the tracing JIT": "tracing", "the function JIT": "function" } as const;

function commandOf({ cgi, opcache }: Php, engine: Engine): string[] {
  if (engine.with === "no OPcache") return [cgi, "-n"];
  const mode = engine.with === "OPcache" ? "off" : JIT[engine.with];
  const settings = [`opcache.jit=${mode}`, "opcache.jit_buffer_size=16M", "opcache.jit_hot_func=1"];
  const given = [`zend_extension=${opcache}`, ...settings].flatMap((line) => ["-d", line]);
  return [cgi, "-n", ...given];
}

for (const engine of ENGINES) {
  behaviour(
    `PHP ${engine.version} with ${engine.with}: the stack is that of debug_backtrace(), frame by frame`,
    { needs: engine.needs },
    async (scene) => {
      const php = phpOf(engine.version);
      if (typeof php === "string") throw new Error(php);
      const { spot, supervisor } = await runPhp(scene, { command: commandOf(php, engine) });
      const held = await hold(scene, spot, { script: script(scene, "ways.php") });
      const [query] = readGate(scene);
      const said = readFileSync(`${query}.trace`, "utf8").trimEnd().split("\n");
      const { frames, unsure } = await stackOf(supervisor, held.worker);
      expect(unsure).toBe(null);
      // What debug_backtrace() says of a frame's place is where its caller is.
      const own = frames.slice(frames.findIndex((frame) => frame.function === "Ways\\stop"));
      const seen = own
        .slice(0, -1)
        .map((frame, i) => [frame.class, frame.function, own[i + 1]!.file, own[i + 1]!.line])
        .map((fields) => fields.map((field) => field ?? "").join("\t"));
      expect(seen).toEqual(said);
      expect(said.length).toBeGreaterThan(20);
      expect(own.at(-1)!.function).toBe("{main}");
      held.open();
      expect((await held.answer).body).toBe("done");
    },
  );
}

/** The gates of the scene, by their paths. */
function readGate(scene: Scene): string[] {
  const files = [...new Bun.Glob("*.trace").scanSync(scene.path("gates"))];
  return files.map((file) => scene.path("gates", file.replace(/\.trace$/, "")));
}

behaviour(
  "of a recursion without end the top is told, and that there is more",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene);
    const held = await hold(scene, spot, { script: script(scene, "deep.php") });
    const stack = await stackOf(supervisor, held.worker);
    expect(stack).toMatchObject({ cut: true, unsure: null });
    expect(stack.frames.length).toBe(500);
    expect(names(stack).slice(1, 4)).toEqual(["require", "down", "down"]);
    const { stdout } = await supervisor.control("trace");
    expect(stdout).toContain("(there are more frames than these 500)");
    held.open();
    await held.answer;
  },
);

behaviour(
  "a generator in a fiber, and a destructor while an exception is on its way",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene);
    const fiber = await hold(scene, spot, { script: script(scene, "fiber.php") });
    const unwound = await hold(scene, spot, { script: script(scene, "unwound.php") });
    const inFiber = await stackOf(supervisor, fiber.worker);
    expect(names(inFiber).slice(1)).toEqual(["require", "numbers", "fibre", "start", "{main}"]);
    const { frames } = await stackOf(supervisor, unwound.worker);
    expect(frames.slice(1)).toMatchObject([
      { function: "require" },
      { function: "__destruct", class: "Guard", line: 8 },
      // PHP has let go of the function already, as its own backtrace would tell.
      { function: "{main}", line: 19 },
    ]);
    for (const held of [fiber, unwound]) {
      held.open();
      await held.answer;
    }
  },
);

// ---------------------------------------------------------------- for people

forEachPhp(
  "trace tells the request, what it waits for, and the stack; of one pool or one worker",
  {},
  async (scene, php) => {
    const [www, api] = [await tcpSpot(scene), await tcpSpot(scene)];
    const supervisor = await scene.start({ pools: { www: php.pool(www), api: php.pool(api) } });
    await workersReach(www, 2);
    await workersReach(api, 2);
    expect((await supervisor.control("trace")).stdout).toBe(
      "no worker is busy: 4 workers wait for a connection\n",
    );
    const held = await holdPhp(scene, www);
    const { stdout } = await supervisor.control("trace");
    const path = scene.fixture("php/gate.php");
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(
      new RegExp(`^worker ${held.worker} of pool www, busy for [0-9.]+ m?s: GET `),
    );
    expect(stdout).toMatch(/^ {2}it is {3}(sleeping \(clock_nanosleep\)|running on the CPU)$/m);
    expect(stdout).toMatch(new RegExp(`^ {2}\\{main\\} +${path}:(8|9|10)$`, "m"));
    expect((await supervisor.control("trace", "api")).stdout).toBe(
      "no worker of pool api is busy: 2 workers wait for a connection\n",
    );
    expect((await traced(supervisor, "www")).workers.map(({ pid }) => pid)).toEqual([held.worker]);
    expect((await supervisor.control("trace", "--quiet")).stdout).toBe("");
    await held.finish();
    const [idle] = await workersReach(api, 2);
    expect((await supervisor.control("trace", String(idle))).stdout).toBe(
      `worker ${idle} of pool api, idle\n`,
    );
  },
);

behaviour("a parked worker is not busy, and named it is told as what it is", PHP, async (scene) => {
  const scaling = { scaling: "dynamic", start_workers: 1, min_spare: 1, max_spare: 1 };
  const { spot, supervisor } = await startPhp(scene, { workers: 3, ...scaling });
  const { parked } = await divided(spot, 1, 2);
  expect((await supervisor.control("trace")).stdout).toBe(
    "no worker is busy: 3 workers wait for a connection\n",
  );
  expect((await supervisor.control("trace", String(parked[0]))).stdout).toBe(
    `worker ${parked[0]} of pool www, parked\n`,
  );
});

behaviour("of many only those that have been longest are looked into", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, { workers: 3 });
  const held = [];
  for (let i = 0; i < 3; i++) {
    const one = await holdPhp(scene, spot);
    held.push(one);
    // Seen before the next one begins: that is what their ages are told by.
    await eventually(async () => (await stackOf(supervisor, one.worker)).frames.length > 0);
  }
  const answer = await supervisor.http("/v1/trace?longest=2", { keepalive: false });
  const { workers } = (await answer.json()) as Trace;
  expect(workers.map(({ pid }) => pid)).toEqual(held.slice(0, 2).map(({ worker }) => worker));
  for (const each of held) await each.finish();
});

behaviour("what is asked for wrongly is told, and nothing is sampled", PHP, async (scene) => {
  const { supervisor } = await startPhp(scene);
  const wrong = async (words: string[], code: number, ...texts: string[]) => {
    const outcome = await supervisor.control("trace", ...words);
    expect({ words, code: outcome.code, stdout: outcome.stdout }).toEqual({
      words,
      code,
      stdout: "",
    });
    for (const text of texts) expect(outcome.stderr).toContain(text);
  };
  await wrong(["wwww"], 1, 'there is no pool "wwww"', 'did you mean "www"?');
  await wrong(["1"], 1, "process 1 is no worker", "fcgivisor status");
  await wrong(["www", "--for", "3s"], 2, "--for goes with --top");
  await wrong(["www", "--flame"], 2, "--flame goes with --top");
  await wrong(["www", "--top", "--for", "3"], 2, "has no unit");
  await wrong(["www", "--top", "--for", "1h"], 2, "too long");
  await wrong(["www", "--tpo"], 2, "--tpo");
  await wrong(["nope", "--top"], 1, 'there is no pool "nope"', "pools are www");
  const query = async (text: string) => {
    const { status, ...answer } = await supervisor.http(`/v1/trace?${text}`, { keepalive: false });
    return [status, answer] as const;
  };
  for (const text of [
    "pool=www&pool=www",
    "pid=x",
    "seconds=0",
    "seconds=601",
    "sedonds=1",
    "longest=0",
    "longest=1&seconds=1",
  ])
    expect([text, (await query(text))[0]]).toEqual([text, 400]);
  expect((await query("pool=nope&seconds=1"))[0]).toBe(422);
});

behaviour(
  "a program of another kind: what it waits for is told, and that it has no stack",
  {},
  async (scene) => {
    const { spot, supervisor } = await runBare(scene);
    const held = await hold(scene, spot);
    const { stdout } = await supervisor.control("trace", "www");
    expect(stdout).toMatch(new RegExp(`^worker ${held.worker} of pool www, busy`));
    expect(stdout).toMatch(/^ {2}it is {3}\S/m);
    expect(stdout).not.toContain("{main}");
    const top = await supervisor.control("trace", "www", "--top", "--for", "1s");
    expect(top).toMatchObject({ code: 1, stdout: "" });
    expect(top.stderr).toContain("the stack of a generic program cannot be read from outside");
    await held.finish();
  },
);

behaviour(
  "a script that waits for a server: its address is told, by TCP and by Unix socket",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene);
    // Databases that never answer.
    const port = await scene.port();
    const path = scene.path("db.sock");
    for (const at of [{ port, host: "127.0.0.1" }, { path }]) {
      const server = createServer((socket) => socket.on("error", () => {}));
      await new Promise<void>((resolve) => server.listen(at, resolve));
      scene.atEnd(() => void server.close());
    }
    Bun.spawnSync(["chmod", "777", path]);
    const query = (target: string) =>
      `<?php $db = stream_socket_client($_GET["to"] ?? "${target}"); stream_set_timeout($db, 900); fread($db, 10);`;
    const tcp = scene.write("tcp.php", query(`tcp://127.0.0.1:${port}`), 0o644);
    const unix = scene.write("unix.php", query(`unix://${path}`), 0o644);
    for (const each of [tcp, unix]) void fcgi(spot.where, { script: each }).catch(() => {});
    const seen = await eventually(
      async () => {
        const { workers } = await traced(supervisor);
        const on = workers.map(({ waiting }) => waiting?.on);
        return on.includes(`127.0.0.1:${port}`) && on.includes(path) ? workers : null;
      },
      { what: "both wait for their server" },
    );
    for (const { waiting, stack } of seen) {
      expect(waiting!.text).toMatch(
        /^(waiting for|reading from) \S+ \((poll|ppoll|recvfrom|read)\)$/,
      );
      expect(names(stack)).toEqual(["fread", "{main}"]);
    }
  },
);

behaviour("what a script is called does nothing to a terminal", PHP, async (scene) => {
  const { spot, supervisor } = await runPhp(scene);
  const gatePhp = readFileSync(scene.fixture("php/gate.php"), "utf8");
  const evil = scene.write("evil\u001b[2J\u202e\n.php", gatePhp, 0o644);
  const held = await hold(scene, spot, { script: evil });
  const text = (await supervisor.control("trace")).stdout;
  expect(text).toContain("evil\\x1b[2J\\u202e\\x0a.php");
  const json = (await supervisor.control("trace", "--json")).stdout;
  for (const said of [text, json]) expect(said).not.toMatch(/[\u001b\u202e]/);
  await held.finish();
});

// ---------------------------------------------------------------- hostile memory

behaviour(
  "a worker whose memory is overwritten with noise has no stack, and harms nobody",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene, { workers: 3 });
    const held = await holdPhp(scene, spot);
    process.kill(held.worker, "SIGSTOP");
    const before = await stackOf(supervisor, held.worker);
    expect(names(before)).toContain("{main}");
    for (let round = 0; round < 12; round++) {
      scribble(held.worker, round);
      const { frames, unsure } = await stackOf(supervisor, held.worker);
      // Either a reason, or names that could be read.
      expect(frames.length === 0 || unsure === null).toBe(true);
    }
    expect((await stackOf(supervisor, held.worker)).unsure).not.toBe(null);
    process.kill(held.worker, "SIGKILL");
    held.open();
    await expect(held.answer).rejects.toThrow();
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  },
);

/** Writes noise into the variables and the heap of a stopped process; each round into more of it. */
function scribble(pid: number, round: number): void {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  const own = maps.filter((line) => / rw-p /.test(line) && !/\[(stack|vvar|vdso)/.test(line));
  const memory = openSync(`/proc/${pid}/mem`, "r+");
  try {
    for (const line of own) {
      const [start, end] = line.split(/[- ]/, 2).map((hex) => Number.parseInt(hex, 16));
      const noise = new Uint8Array(4096).map((_, i) => (i * 37 + round * 101 + (i >> 3)) & 0xff);
      for (let at = start!; at < end!; at += 4096 * 2 ** (11 - round))
        writeSync(memory, noise, 0, Math.min(4096, end! - at), at);
    }
  } finally {
    closeSync(memory);
  }
}

// ---------------------------------------------------------------- where the time goes

const BUSY = `<?php
function slow() { usleep(20000); }
function quick() { return array_sum(range(1, 50)); }
function work() { for (;;) { slow(); quick(); clearstatcache(); if (!file_exists($_SERVER["QUERY_STRING"])) return; } }
set_time_limit(0);
file_put_contents($_SERVER["QUERY_STRING"] . ".new", getmypid() . "\\n");
rename($_SERVER["QUERY_STRING"] . ".new", $_SERVER["QUERY_STRING"] . ".at");
work();
echo "ended";
`;

async function busy(scene: Scene, spot: Spot) {
  const at = gate(scene);
  const answer = fcgi(spot.where, { script: scene.write("busy.php", BUSY, 0o644), query: at.path });
  answer.catch(() => {});
  await at.reached();
  return { end: at.open, answer };
}

behaviour("trace --top shows by function and by line where the time goes", PHP, async (scene) => {
  const { spot, supervisor } = await runPhp(scene);
  const { end, answer } = await busy(scene, spot);
  const { code, stdout } = await supervisor.control("trace", "www", "--top", "--for", "2s");
  expect(code).toBe(0);
  const share = (name: string, column: number) =>
    Number(new RegExp(`^ *([0-9.]+) % +([0-9.]+) %  ${name}$`, "m").exec(stdout)?.[column]);
  expect(share("usleep", 1)).toBeGreaterThan(50);
  expect(share("slow", 2)).toBeGreaterThan(50);
  expect(share("work", 2)).toBe(100);
  expect(share("\\{main\\}", 2)).toBe(100);
  expect(stdout).toMatch(new RegExp(`^ *[0-9.]+ %  ${scene.path("busy.php")}:2$`, "m"));
  const json = await supervisor.control("trace", "www", "--top", "--for", "1s", "--json");
  const profile = JSON.parse(json.stdout) as { samples: number; idle: number };
  expect(against(profile, { $ref: "#/definitions/profile" }, answersSchema())).toEqual([]);
  // One of two workers is busy.
  expect(profile.samples).toBeGreaterThan(0);
  expect(profile.idle).toBeGreaterThan(0);
  end();
  expect((await answer).body).toBe("ended");
});

behaviour(
  "trace --top --flame writes folded stacks; without any PHP code it says so",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene);
    const none = await supervisor.control("trace", "--top", "--for", "300ms");
    expect(none).toMatchObject({ code: 0 });
    expect(none.stdout).toContain("no worker ran any PHP code meanwhile");
    const { end, answer } = await busy(scene, spot);
    const { stdout } = await supervisor.control("trace", "--top", "--flame", "--for", "1s");
    const lines = stdout.trimEnd().split("\n");
    for (const line of lines) expect(line).toMatch(/^\{main\}(;[^; ]+)* [0-9]+$/);
    expect(lines.some((line) => line.startsWith("{main};work;slow;usleep "))).toBe(true);
    end();
    await answer;
  },
);

behaviour("no more than two sample at once; whoever goes makes room", PHP, async (scene) => {
  const { supervisor } = await startPhp(scene);
  const begin = async () => {
    const abort = new AbortController();
    const path = "/v1/trace?pool=www&seconds=600";
    const { body, status } = await supervisor.http(path, {
      keepalive: false,
      signal: abort.signal,
    });
    expect(status).toBe(200);
    return { abort, reader: body!.getReader() };
  };
  const both = [await begin(), await begin()];
  const third = await supervisor.control("trace", "www", "--top", "--for", "1s");
  expect(third).toMatchObject({ code: 1 });
  expect(third.stderr).toContain("the stacks are being sampled already");
  for (const { abort } of both) abort.abort();
  await eventually(
    async () => (await supervisor.control("trace", "www", "--top", "--for", "100ms")).code === 0,
    { what: "those who went are no longer counted" },
  );
});

// ---------------------------------------------------------------- without the right to look

behaviour(
  "root without CAP_SYS_PTRACE looks as the workers' user: what they wait for, and where",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const database = createServer((client) => client.on("error", () => {}));
    const port = await scene.port();
    await new Promise<void>((resolve) => database.listen(port, "127.0.0.1", resolve));
    scene.atEnd(() => void database.close());
    const text = `<?php $db = stream_socket_client("tcp://127.0.0.1:${port}"); stream_set_timeout($db, 900); fread($db, 10);`;
    const spot = await tcpSpot(scene);
    const settings = { pools: { www: phpPool(spot) } };
    const supervisor = await scene.run(settings, { under: WITHOUT_PTRACE });
    void fcgi(spot.where, { script: scene.write("db.php", text, 0o644) }).catch(() => {});
    const [worker] = await eventually(async () => {
      const { workers } = await traced(supervisor, "www");
      return workers[0]?.waiting?.on === `127.0.0.1:${port}` ? workers : null;
    });
    expect(names(worker!.stack)).toEqual(["fread", "{main}"]);
  },
);

behaviour(
  "who may not look into workers says so, and guesses nothing",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const settings = { pools: { www: phpPool(spot, { command: [secretPhp(scene)] }) } };
    const supervisor = await scene.run(settings, { under: WITHOUT_PTRACE });
    await workersReach(spot, 2);
    const held = await holdPhp(scene, spot);
    const { workers } = await traced(supervisor, String(held.worker));
    expect(workers).toMatchObject([
      {
        state: "unknown",
        request: null,
        waiting: { text: "unknown: the kernel does not tell" },
        stack: { frames: [], unsure: "the kernel does not let its program be read" },
      },
    ]);
    await held.finish();
  },
);
