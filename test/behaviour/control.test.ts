// The commands, their exit codes and messages, and the same over plain HTTP on the admin socket.

import { expect } from "bun:test";
import {
  chownSync,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { Status } from "../../src/admin/contract.ts";
import { ask } from "../helper/ask.ts";
import { crash } from "../helper/crash.ts";
import { gate, hold } from "../helper/gate.ts";
import {
  barePool,
  phpPool,
  bodyOf,
  gatedPool,
  gatedReach,
  tcpSpot,
  unixSpot,
  workersReach,
} from "../helper/pool.ts";
import { alive, descriptorsOf, listenersAt } from "../helper/processes.ts";
import { BINARY, ready, textOf } from "../helper/program.ts";
import { against } from "../helper/schema.ts";
import { AS_NOBODY, behaviour, NOBODY } from "../helper/scene.ts";
import { runBare, startBare } from "../helper/serving.ts";
import { onlyLeaving, statusOf } from "../helper/status.ts";
import { queueAt } from "../helper/tcp.ts";
import { eventually } from "../helper/wait.ts";

behaviour("start returns when every pool accepts; stop leaves nothing", {}, async (scene) => {
  const one = await tcpSpot(scene);
  const two = unixSpot(scene);
  const supervisor = await scene.start({
    pools: { one: barePool(scene, one), two: barePool(scene, two) },
  });
  expect(await bodyOf(one, {})).toContain("hello");
  expect(await bodyOf(two, {})).toContain("hello");
  expect(textOf(scene.path("run/fcgivisor.pid")).trim()).toBe(String(supervisor.pid));
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  expect(alive(supervisor.pid)).toBe(false);
  expect(existsSync(supervisor.socket)).toBe(false);
  expect(existsSync(scene.path("run/fcgivisor.pid"))).toBe(false);
});

behaviour(
  "the daemon has a session of its own, no terminal, no descriptor of who started it",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.daemonConfig({ pools: { www: barePool(scene, spot) } });
    const start = 'exec 9<"$1"; readlink /proc/self/fd/9; exec "$0" start -q -c "$1"';
    const outcome = await scene.command(["sh", "-c", start, BINARY, config]);
    expect(outcome).toMatchObject({ code: 0, stdout: `${config}\n` });
    const { pid } = scene.followDaemon(config);
    const stat = textOf(`/proc/${pid}/stat`);
    const [, , , session, tty] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    expect(session).toBe(String(pid));
    expect(tty).toBe("0");
    // It lets go of them when it has said that it is ready.
    const isDetached = () => [0, 1, 2].every((fd) => descriptorsOf(pid).get(fd) === "/dev/null");
    await eventually(isDetached, { what: "descriptors 0, 1 and 2 lead to /dev/null" });
    expect([...descriptorsOf(pid).values()]).not.toContain(config);
  },
);

behaviour("a second start says it is running, exits 0, and changes nothing", {}, async (scene) => {
  const { spot, supervisor, workers: before } = await startBare(scene);
  const again = await supervisor.control("start");
  expect(again.code).toBe(0);
  expect(again.stdout + again.stderr).toMatch(/running/);
  expect(again.stdout + again.stderr).toContain(String(supervisor.pid));
  expect(await workersReach(spot, 2)).toEqual(before);
  expect(alive(supervisor.pid)).toBe(true);
});

const CONTROL_WORDS = ["stop", "quit", "restart", "reload", "logrotate", "status"] as const;

for (const word of CONTROL_WORDS) {
  behaviour(
    `${word} exits 3 when nothing runs, and names the socket it looked for`,
    {},
    async (scene) => {
      const spot = await tcpSpot(scene);
      const config = scene.config({ pools: { www: barePool(scene, spot) } });
      const outcome = await scene.fcgivisor([word, "-c", config]);
      expect(outcome.code).toBe(3);
      expect(outcome.stderr).toContain(scene.path("run/admin.sock"));
      const direct = await scene.fcgivisor([word, "--socket", scene.path("other.sock")]);
      expect(direct.code).toBe(3);
      expect(direct.stderr).toContain(scene.path("other.sock"));
    },
  );
}

behaviour(
  "what a killed supervisor leaves counts as not running, and the next start serves again",
  {},
  async (scene) => {
    const spot = unixSpot(scene);
    const settings = { pools: { www: barePool(scene, spot) } };
    const supervisor = await scene.run(settings);
    const workers = await workersReach(spot, 2);
    await crash(supervisor);
    for (const pid of workers) process.kill(pid, "SIGKILL");
    expect(existsSync(supervisor.socket)).toBe(true);
    expect((await supervisor.control("status")).code).toBe(3);
    const next = await scene.start(settings);
    expect(await bodyOf(spot, {})).toContain("hello");
    expect(await next.control("stop")).toMatchObject({ code: 0 });
  },
);

behaviour("unknown commands and options are usage errors", {}, async (scene) => {
  for (const words of [
    ["fly"],
    ["status", "--fast"],
    ["stop", "now", "please"],
    ["-c"],
    ["run", "-c"],
  ]) {
    const outcome = await scene.fcgivisor(words);
    expect({ words, code: outcome.code }).toEqual({ words, code: 2 });
    expect(outcome.stdout).toBe("");
    expect(outcome.stderr).not.toBe("");
  }
  expect((await scene.fcgivisor(["stauts"])).stderr).toContain("status");
});

behaviour("--version and --help print on stdout and exit 0", {}, async (scene) => {
  expect((await scene.fcgivisor(["--version"])).stdout).toMatch(/^fcgivisor \d+\.\d+\.\d+\n$/);
  const help = await scene.fcgivisor(["--help"]);
  expect(help.code).toBe(0);
  for (const word of ["start", "quit", "reload", "logrotate", "check"]) {
    expect(help.stdout).toContain(word);
  }
  expect((await scene.fcgivisor(["reload", "--help"])).stdout).toContain("--dry-run");
});

behaviour("a config file that does not exist is named", {}, async (scene) => {
  for (const word of ["start", "run", "check"]) {
    const outcome = await scene.fcgivisor([word, "-c", scene.path("nowhere.toml")]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("nowhere.toml");
  }
});

behaviour(
  "check reports everything wrong at once, with file and line, and opens nothing",
  {},
  async (scene) => {
    const config = scene.write(
      "bad.toml",
      `[pools.www]\nlisten = "127.0.0.1:99999"\ncommand = ["php-cgi"]\nworkrs = 3\nstart_timeout = "soon"\n`,
    );
    const outcome = await scene.fcgivisor(["check", "-c", config]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("bad.toml:2");
    expect(outcome.stderr).toContain("bad.toml:4");
    expect(outcome.stderr).toContain("workers");
    expect(outcome.stderr).toContain("bad.toml:5");
    expect(existsSync(scene.path("run"))).toBe(false);
  },
);

behaviour(
  "check of a good file exits 0; --dump is a config that means the same",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.config({ pools: { www: barePool(scene, spot) } });
    expect((await scene.fcgivisor(["check", "-c", config])).code).toBe(0);
    const dump = await scene.fcgivisor(["check", "--dump", "-c", config]);
    expect(dump).toMatchObject({ code: 0 });
    const again = scene.write("again.toml", dump.stdout);
    const same = await scene.fcgivisor(["check", "--dump", "-c", again]);
    expect(same).toMatchObject({ code: 0 });
    expect(withoutComments(same.stdout)).toBe(withoutComments(dump.stdout));
  },
);

/** The dump's comments say where each value comes from. */
function withoutComments(toml: string): string {
  return toml.replaceAll(/\s*#.*$/gm, "");
}

for (const [what, spoil] of [
  ["is broken", (file: string) => writeFileSync(file, "[pools.www\nlisten = ")],
  ["is gone", (file: string) => rmSync(file)],
] as const) {
  behaviour(`commands work while the config file ${what}`, {}, async (scene) => {
    const { spot, supervisor, workers: before } = await startBare(scene);
    spoil(supervisor.configFile);
    expect(await supervisor.control("status")).toMatchObject({ code: 0 });
    expect(await supervisor.control("logrotate")).toMatchObject({ code: 0 });
    const reload = await supervisor.control("reload");
    expect(reload.code).toBe(1);
    expect(reload.stderr).toContain("fcgivisor.toml");
    expect(await workersReach(spot, 2)).toEqual(before);
    expect(await supervisor.control("quit")).toMatchObject({ code: 0 });
    expect(alive(supervisor.pid)).toBe(false);
  });
}

behaviour(
  "a failed start says why with the tail of the worker's output, and leaves nothing",
  {},
  async (scene) => {
    const good = await tcpSpot(scene);
    const [slow, bad] = [await tcpSpot(scene), await tcpSpot(scene)];
    const config = scene.config({
      pools: {
        good: barePool(scene, good),
        slow: barePool(scene, slow, {}, "hang"),
        bad: barePool(scene, bad, {}, "die"),
      },
    });
    for (const word of ["start", "run"]) {
      const outcome = await scene.fcgivisor([word, "-c", config]);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain("bad");
      expect(outcome.stderr).toContain("last words of");
      // Those that it ended itself are no news.
      expect(outcome.stderr).not.toContain("SIGTERM");
      expect(listenersAt(good.where)).toEqual([]);
    }
  },
);

behaviour("a program that does not exist fails the start by name", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const pool = { listen: spot.listen, command: ["no-such-program"], workers: 1 };
  const config = scene.config({ pools: { www: pool } });
  for (const word of ["check", "start"]) {
    const outcome = await scene.fcgivisor([word, "-c", config]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("no-such-program");
  }
});

behaviour(
  "a worker that never reaches accept fails the start after start_timeout",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = barePool(scene, spot, { start_timeout: "700ms" }, "hang");
    const log = { file: scene.path("a.log") };
    const config = scene.config({ log, pools: { www: pool } });
    const outcome = await scene.fcgivisor(["start", "-c", config]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("start_timeout");
    const [, took] = /start failed after ([\d.]+) /.exec(textOf(log.file))!;
    expect(Number(took)).toBeGreaterThan(0);
    expect(outcome.ms).toBeGreaterThanOrEqual(700);
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour(
  "a program that forks workers of its own is told as that, with the way out",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const forks = "for (1 .. 3) { exec @ARGV if fork() == 0 } 1 while wait() > 0";
    const command = ["perl", "-e", forks, scene.fixture("fcgi/bare.pl")];
    const pool = { ...barePool(scene, spot), workers: 1, start_timeout: "2s", command };
    const outcome = await scene.fcgivisor(["start", "-c", scene.config({ pools: { www: pool } })]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("it has started 3 processes of its own on the pool's socket");
    expect(outcome.stderr).toContain('--manager ""');
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour("restart keeps the sockets open: clients wait, none is refused", {}, async (scene) => {
  const { spot, supervisor, workers: before } = await startBare(scene);
  const inode = listenersAt(spot.where);
  const { path, open } = gate(scene);
  scene.rewrite({ pools: { www: gatedPool(scene, spot, path) } });
  const restart = supervisor.control("restart");
  await gatedReach(spot, 2);
  expect(before.filter(alive)).toEqual([]);
  const answers = Array.from({ length: 20 }, () => bodyOf(spot, {}));
  await eventually(() => queueAt(spot.where) === 20, { what: "the clients wait" });
  open();
  for (const body of await Promise.all(answers)) expect(body).toContain("hello");
  expect(await restart).toMatchObject({ code: 0 });
  await workersReach(spot, 2);
  expect(listenersAt(spot.where)).toEqual(inode);
});

behaviour("commands at once are done one after the other", {}, async (scene) => {
  const { spot, supervisor } = await startBare(scene);
  const { path, open } = gate(scene);
  scene.rewrite({ pools: { www: gatedPool(scene, spot, path) } });
  const first = supervisor.control("reload");
  await gatedReach(spot, 2);
  const others = [];
  for (const word of ["restart", "reload"]) {
    const asked = ask(supervisor, word);
    expect(await asked.told("waiting")).toEqual({ step: "waiting", behind: "reload" });
    others.push(asked);
  }
  // Tells no steps.
  others.push(ask(supervisor, "logrotate"));
  expect(await statusOf(supervisor)).toMatchObject({ operation: "reload", generation: 1 });
  expect(supervisor.log().match(/ started, requested by/g)).toEqual([" started, requested by"]);
  open();
  expect(await first).toMatchObject({ code: 0 });
  for (const { answer } of others) expect(await answer).toMatchObject({ ok: true });
  const begun = [...supervisor.log().matchAll(/(\w+) started, requested by/g)].map(
    ([, word]) => word,
  );
  expect(begun).toEqual(["reload", "restart", "reload", "logrotate"]);
  expect((await statusOf(supervisor)).generation).toBe(4);
  await workersReach(spot, 2);
  expect(await bodyOf(spot, {})).toContain("hello");
});

for (const [signal, command] of [
  ["SIGTERM", "stop"],
  ["SIGINT", "stop"],
  ["SIGQUIT", "quit"],
] as const) {
  behaviour(`${signal} does what ${command} does, exit 0`, {}, async (scene) => {
    const { spot, supervisor } = await runBare(scene);
    const held = await hold(scene, spot);
    supervisor.signal(signal);
    if (command === "quit") {
      expect(await workersReach(spot, 1)).toEqual([held.worker]);
      await onlyLeaving(supervisor, 1, [held.worker]);
      await held.finish();
    }
    expect(await supervisor.exited).toBe(0);
    if (command === "stop") await expect(held.answer).rejects.toThrow();
  });
}

behaviour(
  "USR1, USR2 and HUP are answered in the log, and nothing else happens",
  {},
  async (scene) => {
    const { spot, supervisor, workers: before } = await startBare(scene);
    for (const [signal, word] of [
      ["SIGUSR1", "logrotate"],
      ["SIGUSR2", "reload"],
      ["SIGHUP", "reload"],
    ] as const) {
      supervisor.signal(signal);
      await supervisor.logged(new RegExp(`${signal}.*${word}`));
    }
    // What they had begun would be done by now.
    expect(await supervisor.control("logrotate")).toMatchObject({ code: 0 });
    expect(supervisor.log().match(/\w+ started, requested by/g)).toEqual([
      "logrotate started, requested by",
    ]);
    expect(await workersReach(spot, 2)).toEqual(before);
  },
);

behaviour("status shows pools and workers; --json is the same as data", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { storefront: barePool(scene, spot) } });
  const pids = await workersReach(spot, 2);
  const text = await supervisor.control("status");
  expect(text).toMatchObject({ code: 0, stderr: "" });
  expect(text.stdout).toContain("storefront");
  expect(text.stdout).toContain(spot.listen);
  const json = await supervisor.control("status", "--json");
  expect(json.code).toBe(0);
  JSON.parse(json.stdout);
  for (const pid of [supervisor.pid, ...pids]) expect(json.stdout).toContain(String(pid));
});

behaviour("the admin socket speaks HTTP to curl", { needs: ["curl"] }, async (scene) => {
  const { spot, supervisor, workers: before } = await startBare(scene);
  const curl = (...words: string[]) =>
    scene.command(["curl", "-sS", "--fail", "--unix-socket", supervisor.socket, ...words]);
  expect(statSync(supervisor.socket).mode & 0o777).toBe(0o600);
  expect((await curl("http://x/healthz")).code).toBe(0);
  expect((await curl("http://x/readyz")).code).toBe(0);
  const status = await curl("http://x/v1/status");
  expect(JSON.stringify(JSON.parse(status.stdout))).toContain("www");
  const reload = await curl("-X", "POST", "http://x/v1/reload");
  expect(reload).toMatchObject({ code: 0, stderr: "" });
  JSON.parse(reload.stdout);
  const after = await workersReach(spot, 2);
  expect(after.some((pid) => before.includes(pid))).toBe(false);
  const steps = await curl(
    "-X",
    "POST",
    "-H",
    "Accept: application/x-ndjson",
    "http://x/v1/reload",
  );
  const lines = steps.stdout.trim().split("\n");
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) JSON.parse(line);
  expect((await curl("http://x/metrics")).stdout).toMatch(/^fcgivisor_\w+({.*})? \d/m);
  const wrong = await curl("http://x/v1/reload");
  expect(wrong.stderr).toContain("405");
  expect(wrong.code).toBe(22);
  expect((await curl("http://x/nothing")).stderr).toContain("404");
  expect((await curl("-X", "POST", "http://x/v1/stop")).code).toBe(0);
  await supervisor.gone();
});

behaviour("status answers while every worker is busy, and shows it", {}, async (scene) => {
  const { spot, supervisor } = await startBare(scene);
  const held = [await hold(scene, spot), await hold(scene, spot)];
  const waiting = [bodyOf(spot, {}), bodyOf(spot, {})];
  await eventually(() => queueAt(spot.where) === 2, { what: "two more wait" });
  const status = await supervisor.control("status", "--json");
  expect(status).toMatchObject({ code: 0 });
  const [pool] = (JSON.parse(status.stdout) as Status).pools;
  expect(pool).toMatchObject({ workers: { idle: 0, busy: 2 }, queue: { length: 2 } });
  const busy = pool!.groups.flatMap(({ workers }) => workers);
  expect(busy.map(({ state }) => state)).toEqual(["busy", "busy"]);
  expect(new Set(busy.map(({ pid }) => pid))).toEqual(new Set(held.map(({ worker }) => worker)));
  expect((await supervisor.http("/healthz")).status).toBe(200);
  for (const { open } of held) open();
  for (const { answer, worker } of held) expect((await answer).body).toContain(`${worker}`);
  for (const body of await Promise.all(waiting)) expect(body).toContain("hello");
});

behaviour(
  "/readyz is 503 while a pool cannot take requests, /healthz stays 200",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const tally = scene.path("tally");
    const pool = barePool(scene, spot, { workers: 1 }, "die-if", tally);
    const supervisor = await scene.start({ pools: { www: pool } });
    const ask = async (path: string): Promise<number> => {
      const answer = await supervisor.http(path);
      await answer.text();
      return answer.status;
    };
    expect([await ask("/healthz"), await ask("/readyz")]).toEqual([200, 200]);
    scene.write("tally", "", 0o666);
    process.kill((await workersReach(spot, 1))[0]!, "SIGKILL");
    await eventually(async () => (await ask("/readyz")) === 503);
    expect(await ask("/healthz")).toBe(200);
    rmSync(tally);
    await eventually(async () => (await ask("/readyz")) === 200);
  },
);

behaviour("a failed operation is an HTTP error with the reason as JSON", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  writeFileSync(supervisor.configFile, "nonsense");
  const answer = await supervisor.http("/v1/reload", { method: "POST" });
  expect(answer.status).toBe(422);
  const told = await answer.json();
  expect(told).toMatchObject({ ok: false });
  expect(JSON.stringify(told)).toContain("fcgivisor.toml");
});

behaviour("the admin socket takes its mode from the config", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const admin = { socket: scene.path("ctl.sock"), mode: "0660" };
  await scene.run({ admin, pools: { www: barePool(scene, spot) } });
  expect(statSync(admin.socket).mode & 0o777).toBe(0o660);
  const outcome = await scene.fcgivisor(["status", "--socket", admin.socket]);
  expect(outcome.code).toBe(0);
});

behaviour("FCGIVISOR_CONFIG names the config", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  const env = { FCGIVISOR_CONFIG: supervisor.configFile };
  expect(await scene.fcgivisor(["status"], { env })).toMatchObject({ code: 0 });
});

behaviour("--quiet prints nothing when all went well", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  for (const word of ["reload", "logrotate", "stop"]) {
    expect(await supervisor.control(word, "-q")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  }
});

behaviour("a daemon reads no .env and no bunfig.toml from where it stands", {}, async (scene) => {
  const trap = scene.path("trap");
  mkdirSync(trap);
  writeFileSync(`${trap}/.env`, "FCGIVISOR_CONFIG=/from/dotenv.toml\n");
  writeFileSync(`${trap}/bunfig.toml`, 'preload = ["./evil.ts"]\n');
  writeFileSync(
    `${trap}/evil.ts`,
    'import { writeFileSync } from "node:fs"; writeFileSync("sprung", "");',
  );
  const outcome = await scene.fcgivisor(["check"], { cwd: trap });
  expect(outcome.stderr).not.toContain("dotenv");
  expect(existsSync(`${trap}/sprung`)).toBe(false);
  const env = { FCGIVISOR_CONFIG: "/from/dotenv.toml" };
  expect((await scene.fcgivisor(["check"], { cwd: trap, env })).stderr).toContain("dotenv");
});

behaviour("the binary works through a link with another name", {}, async (scene) => {
  symlinkSync(BINARY, scene.path("supervise"));
  const outcome = await scene.command([scene.path("supervise"), "--version"]);
  expect(outcome.stdout).toContain("fcgivisor");
});

behaviour(
  "quit --lame-duck: it is not ready any more, and serves on until the time is over",
  { needs: ["curl"] },
  async (scene) => {
    const { spot, supervisor, workers } = await startBare(scene);
    const readyz = ["curl", "-sS", "--unix-socket", supervisor.socket, "http://x/readyz"];
    const quitting = supervisor.control("quit", "--lame-duck", "1h");
    await supervisor.logged(/\/readyz says no from here on; requests are served for 1 h more/);
    expect((await scene.command(readyz)).stdout).toContain("not ready");
    expect((await statusOf(supervisor)).state).toBe("lame-duck");
    // Nothing else is over: a worker that dies is replaced, and a config is taken on.
    process.kill(workers[0]!, "SIGKILL");
    const [gone] = workers;
    await eventually(async () => !(await workersReach(spot, 2)).includes(gone!), {
      what: "the worker is replaced",
    });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await workersReach(spot, 2);
    // Who has no more patience says so.
    expect(await supervisor.control("quit")).toMatchObject({ code: 0 });
    expect(await quitting).toMatchObject({ code: 0 });
  },
);

behaviour("quit --lame-duck ends by itself, and takes a time with its unit", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  const wrong = await supervisor.control("quit", "--lame-duck", "5");
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.stderr).toContain('--lame-duck: "5" has no unit');
  expect(await supervisor.control("quit", "--lame-duck", "50ms")).toMatchObject({ code: 0 });
  expect(await supervisor.control("status")).toMatchObject({ code: 3 });
});

behaviour(
  "an operation refuses over HTTP what it does not understand, and does nothing",
  { needs: ["curl"] },
  async (scene) => {
    const { spot, supervisor, workers } = await startBare(scene);
    const { socket } = supervisor;
    const curl = (...words: string[]) =>
      scene.command(["curl", "-sS", "-w", "\n%{http_code}", "--unix-socket", socket, ...words]);
    const asked: [path: string, body: string, named: string][] = [
      ["reload?dry-run=true", "", "dry-run"],
      ["reload?dry_run=maybe", "", "dry_run"],
      ["reload?pools=www", "", "pools"],
      ["restart?wait=false", "", "restart takes only pools"],
      ["restart?pool=www&pool=app", "", "a list with one name"],
      ["stop", '{"pool": "www"}', "stop takes only pools"],
      ["stop", '{"pools": []}', "a list with one name"],
      ["quit", '{"pools": ["www"]}', "quit takes only lame_duck_ms"],
      ["scale?pool=www", "", "workers"],
      ["pause", "", "which pool"],
      ["quit?wait=false", "", "quit takes only lame_duck_ms"],
      ["quit?lame_duck_ms=soon", "", "lame_duck_ms"],
      ["logrotate", '{"binary": "/bin/true"}', "binary"],
    ];
    for (const [path, body, named] of asked) {
      const { stdout } = await curl("-X", "POST", "-d", body, `http://x/v1/${path}`);
      const [answer = "", status] = stdout.split("\n");
      expect(status, path).toBe("400");
      expect(JSON.parse(answer), path).toMatchObject({ ok: false });
      expect(JSON.parse(answer).fault.message, path).toContain(named);
    }
    expect(await workersReach(spot, 2)).toEqual(workers);
    const dry = await curl("-X", "POST", "http://x/v1/reload?dry_run=1");
    expect(dry.stdout).toContain('"dry_run":true');
  },
);

behaviour(
  "a request that cannot be read gets a short answer, not the source",
  { needs: ["curl"] },
  async (scene) => {
    const { supervisor } = await startBare(scene);
    const { socket } = supervisor;
    const curl = (...words: string[]) =>
      scene.command(["curl", "-sS", "-w", "\n%{http_code}", "--unix-socket", socket, ...words]);
    const odd = await curl("-H", "Host: a b", "http://x/healthz");
    expect(odd.stdout).toMatch(/"the URL cannot be read".*\n400$/);
    const long = scene.write("long", "x".repeat(2_000_000));
    const huge = await curl("--data-binary", `@${long}`, "http://x/v1/reload");
    expect(huge.stdout).toMatch(/\n413$/);
  },
);

behaviour(
  "with a mistyped config commands exit 3, and let the supervisor at the default place be",
  { needs: ["root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const home = scene.path("home");
    mkdirSync(home);
    chownSync(home, NOBODY, NOBODY);
    const as = [...AS_NOBODY, BINARY];
    const env = { XDG_RUNTIME_DIR: home };
    const program = scene.fixture("fcgi/bare.pl");
    const run = ["run", "--listen", spot.listen, "--workers", "1", "--", program];
    const child = scene.spawn([...as, ...run], { env });
    await ready(scene.path("home/fcgivisor/admin.sock"), () => alive(child.pid));
    const workers = await workersReach(spot, 1);
    for (const word of CONTROL_WORDS) {
      const outcome = await scene.command([...as, word, "-c", "/etc/no-such.toml"], { env });
      expect(outcome, word).toMatchObject({ code: 3 });
      expect(outcome.stderr).toContain(
        "/etc/no-such.toml: fcgivisor is not running with this config",
      );
    }
    expect(await scene.command([...as, "status"], { env })).toMatchObject({ code: 0 });
    expect(await workersReach(spot, 1)).toEqual(workers);
    expect(await scene.command([...as, "quit"], { env })).toMatchObject({ code: 0 });
    expect(await child.exited).toBe(0);
  },
);

behaviour("start fails where a supervisor with another config runs", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const settings = { pools: { www: barePool(scene, spot) } };
  const supervisor = await scene.start(settings);
  const other = scene.config(settings, "other.toml");
  const outcome = await scene.fcgivisor(["start", "-c", other]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain(`process ${supervisor.pid}, but with another config`);
  expect(outcome.stderr).toContain(supervisor.configFile);
  symlinkSync(supervisor.configFile, scene.path("link.toml"));
  expect(await scene.fcgivisor(["start", "-c", scene.path("link.toml")])).toMatchObject({
    code: 0,
  });
  expect(await scene.fcgivisor(["start", "-c", "./fcgivisor.toml"])).toMatchObject({ code: 0 });
});

behaviour(
  "a command for another config of the same socket says which runs; reload --switch-config goes over to it",
  {},
  async (scene) => {
    const [one, two] = [await tcpSpot(scene), await tcpSpot(scene)];
    const supervisor = await scene.start({ pools: { www: barePool(scene, one) } });
    const first = supervisor.configFile;
    const [pid] = await workersReach(one, 2);
    const log = { file: scene.path("fcgivisor.log") };
    const admin = { socket: supervisor.socket };
    const pools = { www: barePool(scene, one, { workers: 1 }), more: barePool(scene, two) };
    const next = scene.config({ log, admin, pools }, "next.toml");
    for (const word of ["reload", "quit", "stop", "restart", "upgrade", "logrotate", "status"]) {
      const { code, stderr } = await scene.fcgivisor([word, "-c", next]);
      expect({ word, code }).toEqual({ word, code: 1 });
      expect(stderr).toContain(`runs with another config: ${first}`);
      expect(stderr).toContain(`fcgivisor reload --switch-config ${next}`);
    }
    expect(await workersReach(one, 2)).toContain(pid!);

    const broken = scene.write("broken.toml", "[pools.www]\nlisten = 1\nworkers = 0\n");
    const refused = await scene.fcgivisor(["reload", "-c", first, "--switch-config", broken]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("broken.toml:3");
    const planned = await scene.fcgivisor(["reload", "--switch-config", next, "--dry-run"]);
    expect(planned.stdout).toContain("add pool more");
    expect((await supervisor.control("status")).stdout).toContain(first);

    expect(await scene.fcgivisor(["reload", "--switch-config", next])).toMatchObject({ code: 0 });
    await supervisor.logged(`runs with the config ${next} from here on, instead of ${first}`);
    await workersReach(two, 2);
    await workersReach(one, 1);
    expect((await scene.fcgivisor(["reload", "-c", first])).code).toBe(1);
    // It stays with it: at a reload, while the file is broken, and through an upgrade.
    expect((await scene.fcgivisor(["upgrade", "-c", next])).code).toBe(0);
    const status = JSON.parse((await scene.fcgivisor(["status", "--json", "-c", next])).stdout);
    expect(status).toMatchObject({ config: next, pools: [{ name: "www" }, { name: "more" }] });
    writeFileSync(next, "broken = [");
    expect((await scene.fcgivisor(["stop", "-c", next])).code).toBe(0);
  },
);

/** Names of objects in it that are not snake_case. */
function oddNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(oddNames);
  if (typeof value !== "object" || value === null) return [];
  const odd = Object.keys(value).filter((name) => !/^(\$map|[a-z][a-z0-9_]*)$/.test(name));
  return [...odd, ...Object.values(value).flatMap(oddNames)];
}

behaviour(
  "all JSON has one style of names, and what fails with --json prints JSON",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const log = { file: scene.path("fcgivisor.log"), format: "json", level: "debug" };
    const settings = { log, pools: { www: phpPool(spot, { php: { defines: { Odd_Name: 1 } } }) } };
    const config = scene.config(settings);
    const schema = JSON.parse((await scene.fcgivisor(["schema", "answers"])).stdout);
    const checked = (value: unknown) => expect(against(value, schema, schema)).toEqual([]);
    const json = async (...words: string[]) => {
      const { stdout, code } = await scene.fcgivisor([...words, "-c", config, "--json"]);
      const value: unknown = JSON.parse(stdout);
      expect({ words, odd: oddNames(value) }).toEqual({ words, odd: [] });
      return { value, code };
    };
    expect(await json("stop")).toMatchObject({ code: 3, value: { ok: false } });
    expect(await json("status")).toMatchObject({ code: 3, value: { ok: false } });
    const started = await json("start");
    expect(started).toMatchObject({ code: 0, value: { ok: true, pools: 1, failed: [] } });
    const pid = (started.value as { pid: number }).pid;
    const supervisor = scene.follow(pid, config, scene.path("run/admin.sock"), () =>
      textOf(log.file),
    );
    expect(await json("start")).toMatchObject({ code: 0, value: { already_running: true, pid } });
    const script = scene.fixture("php/hello.php");
    for (const words of [
      ["status"],
      ["check", "--against"],
      ["reload"],
      ["request", "/", "--script", script],
      ["bench", "/", "--script", script, "--duration", "50ms"],
    ])
      expect(await json(...words)).toMatchObject({ code: 0 });
    // What the control socket says is as its schema has it.
    checked((await json("status")).value);
    const own = await (await supervisor.http("/v1/supervisor")).json();
    checked(own);
    expect(own).toMatchObject({ pid, config });
    expect(own).not.toHaveProperty("pools");
    for (const words of [
      ["reload"],
      ["reload", "--dry-run"],
      ["reload", "--changed"],
      ["logrotate"],
    ])
      checked((await json(...words)).value);
    checked((await json("reload", "nobody")).value);
    expect(await json("request", "/", "--pool", "none")).toMatchObject({ code: 1 });
    const running: unknown = await (await supervisor.http("/v1/config")).json();
    expect(oddNames(running)).toEqual([]);
    expect(JSON.stringify(running)).toContain("Odd_Name");
    checked((await json("restart")).value);
    const records = supervisor.log().trim().split("\n");
    expect(records.flatMap((line) => oddNames(JSON.parse(line)))).toEqual([]);
    expect(await json("quit")).toMatchObject({ code: 0 });
    scene.config({ ...settings, pools: { www: { ...settings.pools.www, command: ["none"] } } });
    expect(await json("start")).toMatchObject({ code: 1, value: { ok: false } });
  },
);

behaviour(
  "options may stand before the command; check FILE, version and -V work",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run({ pools: { www: barePool(scene, spot) } });
    const config = supervisor.configFile;
    const call = (...words: string[]) => scene.fcgivisor(words);
    const checked = `${config}: ok, 1 pool\n`;
    expect(await call("check", config)).toMatchObject({ code: 0, stdout: checked });
    expect(await call("--config", config, "check")).toMatchObject({ code: 0, stdout: checked });
    expect((await call("check", config, "-c", config)).code).toBe(2);
    const status = await call(`--socket=${supervisor.socket}`, "--json", "status");
    expect(JSON.parse(status.stdout)).toMatchObject({ pid: supervisor.pid });
    const version = (await call("--version")).stdout;
    for (const word of ["version", "-V", "-v"]) expect((await call(word)).stdout).toBe(version);
    expect((await call("--wrong", "status")).code).toBe(2);
    expect((await call("-c", config)).code).toBe(2);
    const commands = (await call("--help")).stdout.match(/^  [a-z]+(?=  )/gm)!;
    for (const word of commands.slice(0, 17)) {
      const help = [(await call(word.trim(), "--help")).stdout, (await call("help")).stdout].join(
        "",
      );
      expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
    }
  },
);
