// What a script of a customer tries against a supervisor that runs as root: it shapes all that can be
// seen of its process, and the supervisor looks at it, stays quick, and keeps the last word.

import { expect } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { connect } from "node:net";
import { crash, recovered } from "../helper/crash.ts";
import { fcgi } from "../helper/fcgi.ts";
import { gate } from "../helper/gate.ts";
import {
  barePool,
  bodyOf,
  phpPool,
  renewed,
  tcpSpot,
  unixSpot,
  workersReach,
} from "../helper/pool.ts";
import {
  controlGroupName,
  controlGroupsOf,
  delegatedGroup,
  unifiedGroupOf,
} from "../helper/kernel.ts";
import { alive, allPids, commandOf, descriptorsOf, rssOf } from "../helper/processes.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { statusOf } from "../helper/status.ts";
import { eventually, within } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi", "root"] } as const;
const MOUNTING = { needs: ["root", "mounting"] } as const;

/** A script of the attacker's, in a folder that he may write in. */
function attack(scene: Scene, name: string): string {
  const script = scene.fixture(`attack/${name}`);
  const made = scene.path("www/attack/made");
  mkdirSync(made, { recursive: true });
  chmodSync(made, 0o777);
  return script;
}

for (const [what, size] of [
  ["claims 2^62 bytes", 2n ** 62n],
  ["has 3 GiB of nothing", 3n * 1024n ** 3n],
] as const) {
  behaviour(
    `a program that calls itself php-cgi and whose symbol table ${what} is no worker`,
    PHP,
    async (scene) => {
      const spot = await tcpSpot(scene);
      const pools = { www: phpPool(spot, { drain_timeout: "1s" }) };
      const supervisor = await scene.start({ pools });
      const request = { script: attack(scene, "orphan.php"), query: String(size) };
      const stranger = Number(await bodyOf(spot, request));
      await supervisor.logged("workers of it");
      const before = rssOf(supervisor.pid);
      const {
        pools: [www],
      } = await eventually(async () => {
        const status = await statusOf(supervisor);
        return status.pools[0]!.state === "serving" ? status : null;
      });
      const workers = www!.groups.flatMap((group) => group.workers.map(({ pid }) => pid));
      expect(workers).not.toContain(stranger);
      expect(alive(stranger)).toBe(true);
      expect(rssOf(supervisor.pid) - before).toBeLessThan(64 * 1024);
      expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
      expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
      await supervisor.gone();
      expect(alive(stranger)).toBe(false);
    },
  );
}

behaviour(
  "a worker whose memory nobody brings holds up neither status nor trace nor reload nor stop",
  MOUNTING,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const source = scene.fixture("attack/page-fault.c");
    const program = scene.path("bin/php-cgi");
    mkdirSync(scene.path("bin"));
    const made = await scene.command(["cc", "-rdynamic", "-o", program, source]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const pool = { listen: spot.listen, command: [program], runtime: "php-cgi", user: "root" };
    const supervisor = await scene.start({
      supervisor: { allow_root: true },
      pools: { www: { ...pool, workers: 6, group_size: 1, drain_timeout: "1s" } },
    });
    const requests = Array.from({ length: 6 }, () => fcgi(spot.where, {}).catch(() => null));
    await eventually(async () => {
      const { pools } = await statusOf(supervisor);
      return pools[0]!.workers.busy === 6;
    });
    const trace = await supervisor.control("trace");
    expect(trace).toMatchObject({ code: 0 });
    expect(trace.stdout.match(/^worker /gm)).toHaveLength(6);
    expect(trace.stdout).toContain("the stack cannot be told");
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
    await Promise.all(requests);
  },
);

/** What there is to do to a TCP socket only: how it is asked for, and how it is told. */
const TCP_ATTACKS = [
  ["lock", "found without its allowed_clients"],
  ["bolt", "found with a filter that is locked"],
  ["minttl", "found with another IP_MINTTL"],
  ["sign", "found given keys that clients would have to sign with"],
  ["linger", "found with another SO_LINGER"],
  ["crawl", "with another SO_SNDBUF, with another SO_BUF_LOCK and with another SO_MAX_PACING_RATE"],
  ["defer", "found with another TCP_DEFER_ACCEPT"],
] as const;

behaviour(
  "a program whose loader is on a file system that never answers holds up nobody else's pool",
  { needs: ["root", "mounting", "gcc", "libc-headers"] },
  async (scene) => {
    const [own, other] = [await tcpSpot(scene), await tcpSpot(scene)];
    const folder = scene.path("own");
    for (const dir of [folder, `${folder}/silent`]) mkdirSync(dir);
    const program = scene.write(
      "own/app",
      `#!/bin/sh\nexec ${scene.fixture("fcgi/bare.pl")}\n`,
      0o755,
    );
    const compile = (...words: string[]) => scene.command(["gcc", ...words]);
    const source = scene.write("evil.c", "int main(void) { return 0; }\n");
    const loader = `-Wl,--dynamic-linker=${folder}/silent/ld.so`;
    expect(await compile("-o", `${folder}/evil`, source, loader)).toMatchObject({ code: 0 });
    const mounter = scene.path("silent-mount");
    const made = await compile("-o", mounter, scene.fixture("attack/silent-mount.c"));
    expect(made, made.stderr).toMatchObject({ code: 0 });
    for (const path of [folder, `${folder}/silent`, program, `${folder}/evil`])
      chownSync(path, 33, 33);
    const pools = {
      own: { ...barePool(scene, own), command: [program], start_timeout: "1s" },
      other: barePool(scene, other),
    };
    // What is mounted goes with the supervisor.
    const supervisor = await scene.run({ pools }, { under: ["unshare", "-m", "--"] });
    const [worker] = await workersReach(own, 2);
    const mount = scene.spawn([
      "nsenter",
      "-t",
      `${supervisor.pid}`,
      "-m",
      mounter,
      `${folder}/silent`,
      "33",
    ]);
    await eventually(() => mount.stderr().includes("mounted"), { what: "it is mounted" });
    renameSync(`${folder}/evil`, program);
    process.kill(worker!, "SIGKILL");
    await eventually(() => mount.stderr().includes("asked"), { what: "the loader is asked for" });
    expect(await within("status", supervisor.control("status"))).toMatchObject({ code: 0 });
    expect(await bodyOf(other, {})).toContain("hello");
    expect(await within("stop", supervisor.control("stop"))).toMatchObject({ code: 0 });
    await supervisor.gone();
  },
);

for (const kind of ["TCP", "Unix"] as const) {
  behaviour(
    `what a script does to the shared ${kind} socket is set right and told`,
    PHP,
    async (scene) => {
      const spot = kind === "TCP" ? await tcpSpot(scene) : unixSpot(scene);
      const clients = kind === "TCP" ? { allowed_clients: ["127.0.0.1"] } : {};
      const pool = phpPool(spot, clients);
      const supervisor = await scene.start({ pools: { www: pool } });
      const script = attack(scene, "shared-socket.php");
      scene.fixture("attack/shared-socket.pl");
      const hello = scene.fixture("php/hello.php");
      const attacks = [
        ["nonblocking", "found non-blocking"],
        ["timeout", "found given a timeout"],
        ["backlog", "found given a backlog of 1 "],
        ...(kind === "TCP" ? [["filter", "found without its allowed_clients"] as const] : []),
        ["shutdown", "found shut down"],
        ...(kind === "TCP" ? TCP_ATTACKS : []),
      ] as const;
      const times = (text: string) => supervisor.log().split(text).length;
      for (const [query, told] of attacks) {
        const before = times(told);
        // The workers may have left meanwhile, of an attack that makes them.
        await eventually(async () => (await bodyOf(spot, { script, query })) === "done");
        await eventually(() => times(told) > before, { what: `the log tells ${told}` });
        await eventually(async () => (await supervisor.http("/readyz")).status === 200);
        await eventually(async () => (await bodyOf(spot, { script: hello })).includes("hello"));
      }
      expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
      await workersReach(spot, 2);
      expect(await bodyOf(spot, { script: hello })).toContain("hello");
    },
  );
}

for (const word of ["reload", "upgrade"])
  behaviour(
    `${word} finds a socket that was shut down a moment before, and heals it`,
    PHP,
    async (scene) => {
      const spot = unixSpot(scene);
      const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
      const script = attack(scene, "shared-socket.php");
      scene.fixture("attack/shared-socket.pl");
      expect(await bodyOf(spot, { script, query: "shutdown" })).toBe("done");
      expect(await supervisor.control(word)).toMatchObject({ code: 0 });
      const hello = scene.fixture("php/hello.php");
      expect(await bodyOf(spot, { script: hello })).toContain("hello");
    },
  );

behaviour("a worker that floods its output fills no disk, and that is told", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const pool = barePool(scene, spot, { workers: 1, log_rate: "4K" }, "flood");
  const supervisor = await scene.start({ pools: { www: pool } });
  await supervisor.logged(/[0-9]+ lines \([0-9]+ kB\) that workers of pool www wrote were dropped/);
  const most = 10 * 4096;
  const seconds = (await statusOf(supervisor)).uptime_ms / 1000;
  const flooded = supervisor
    .log()
    .split("\n")
    .filter((line) => line.includes("flood"));
  expect(flooded.join("\n").length).toBeLessThan(most + (seconds + 1) * 4096 * 2);
});

/** sendmsg(2), which only architectures number. */
const SENDMSG = process.arch === "arm64" ? "211" : "46";

behaviour("descriptors that a worker sends over its output are not taken", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const command = ["perl", scene.fixture("attack/gift.pl"), SENDMSG];
  const pool = barePool(scene, spot, { workers: 1, command });
  const supervisor = await scene.start({ pools: { www: pool } });
  await supervisor.logged("all given");
  const gifts = [...descriptorsOf(supervisor.pid).values()].filter((to) => to.includes("gift.pl"));
  expect(gifts).toEqual([]);
});

for (const [how, what] of [
  ["beside", "has left its process group"],
  ["alone", "has left its process group and ended its leader"],
] as const) {
  behaviour(
    `a worker that ${what} is a worker still: it leaves, and serves nobody`,
    PHP,
    async (scene) => {
      const spot = await tcpSpot(scene);
      const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
      const old = await workersReach(spot, 2);
      const { path, reached, open } = gate(scene);
      const query = `${how}:${path}`;
      const answer = bodyOf(spot, { script: attack(scene, "loner.php"), query });
      const loner = await reached();
      const reload = supervisor.control("reload");
      await eventually(async () => (await statusOf(supervisor)).generation === 2);
      open();
      expect(await answer).toBe(`waited ${loner}`);
      expect(await reload).toMatchObject({ code: 0 });
      await renewed(spot, { count: 2, old });
    },
  );

  behaviour(`a worker that ${what} is ended when it is late`, PHP, async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = phpPool(spot, { drain_timeout: "1s" });
    const supervisor = await scene.start({ pools: { www: pool } });
    const { path, reached } = gate(scene);
    const query = `${how}:${path}`;
    const answer = bodyOf(spot, { script: attack(scene, "loner.php"), query }).catch(() => null);
    const loner = await reached();
    const reload = await supervisor.control("reload");
    expect(reload).toMatchObject({ code: 0 });
    expect(reload.stdout).toContain("1 request was cut short");
    expect(reload.stdout).not.toContain("survives");
    expect(alive(loner)).toBe(false);
    expect(await answer).toBeNull();
  });
}

const RUNNER = { needs: ["php-cgi", "root", "a unified control group"] } as const;

behaviour(
  "a process that leaves its group and forks without end does not outlive a stop",
  RUNNER,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    const script = attack(scene, "runner.php");
    const runner = scene.fixture("attack/runner.pl");
    const runs = () => allPids().some((pid) => commandOf(pid).includes(runner));
    expect(await bodyOf(spot, { script })).toBe("runs");
    await eventually(runs);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
    // One look may miss it between two forks; many do not.
    const looks = Array.from({ length: 50 }, runs);
    expect(looks).not.toContain(true);
    expect(controlGroupsOf(scene)).toEqual([]);
  },
);

behaviour(
  "what ran away under a supervisor that was killed does not outlive the stop of the next",
  RUNNER,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const first = await scene.start({ pools: { www: phpPool(spot) } });
    const script = attack(scene, "runner.php");
    const runner = scene.fixture("attack/runner.pl");
    const runs = () => allPids().some((pid) => commandOf(pid).includes(runner));
    expect(await bodyOf(spot, { script })).toBe("runs");
    await eventually(runs);
    await crash(first);
    const next = await recovered(scene, first);
    await eventually(runs);
    expect(await next.control("stop")).toMatchObject({ code: 0 });
    await next.gone();
    expect(Array.from({ length: 50 }, runs)).not.toContain(true);
    expect(controlGroupsOf(scene)).toEqual([]);
  },
);

behaviour(
  "in a group that was delegated, each pool has its own, and what runs there ends with its pool",
  RUNNER,
  async (scene) => {
    const { path, under } = delegatedGroup(scene);
    const [www, other] = [await tcpSpot(scene), await tcpSpot(scene)];
    const pools = { www: phpPool(www), other: phpPool(other) };
    const supervisor = await scene.run({ pools }, { under });
    expect(unifiedGroupOf(supervisor.pid)).toBe(path);
    const groupOf = (pool: string) => `${path}/${controlGroupName(scene, supervisor.pid, pool)}`;
    for (const pid of await workersReach(www, 2)) expect(unifiedGroupOf(pid)).toBe(groupOf("www"));
    for (const pid of await workersReach(other, 2))
      expect(unifiedGroupOf(pid)).toBe(groupOf("other"));
    const script = attack(scene, "runner.php");
    const runner = scene.fixture("attack/runner.pl");
    const runs = () => allPids().some((pid) => commandOf(pid).includes(runner));
    expect(await bodyOf(www, { script })).toBe("runs");
    await eventually(runs);
    // The service goes on, only its pool ends: nobody but cgroup.kill catches it.
    scene.config({ pools: { other: pools.other } });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await eventually(() => !Array.from({ length: 50 }, runs).includes(true), {
      what: "the runner has ended",
    });
    expect(await bodyOf(other, { script: scene.fixture("php/hello.php") })).toContain("hello");
  },
);

behaviour(
  "what a script left in the background is counted in status and in the report of a reload",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    const left = `<?php exec("exec 5<&0; setsid -f sleep 600 <&5 >/dev/null 2>&1"); echo "sleeps";`;
    expect(await bodyOf(spot, { script: scene.write("www/left.php", left) })).toBe("sleeps");
    expect((await statusOf(supervisor)).pools[0]!.background).toBe(1);
    expect((await supervisor.control("status")).stdout).toContain(
      "1 process that scripts of pool www left",
    );
    const reload = await supervisor.control("reload");
    expect(reload.stdout).toContain(
      "1 process that scripts of pool www left in the background still holds",
    );
  },
);

behaviour("PHP is asked of its settings as the pool's user, not as root", PHP, async (scene) => {
  const asked = scene.path("asked");
  scene.write("asked", "", 0o666);
  const ask = `#!/bin/sh\necho "$(id -u):$(id -G):$*" >>${asked}\nexec ${Bun.which("php-cgi")} "$@"\n`;
  const command = [scene.write("bin/php-cgi", ask, 0o755)];
  const spot = await tcpSpot(scene);
  const config = scene.config({ pools: { www: { ...phpPool(spot), command } } });
  expect(await scene.fcgivisor(["check", "-c", config])).toMatchObject({ code: 0 });
  const supervisor = await scene.start({ pools: { www: { ...phpPool(spot), command } } });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  const lines = readFileSync(asked, "utf8").trimEnd().split("\n");
  expect(lines.filter((line) => line.endsWith(" -v") || line.endsWith(":-v")).length).toBe(3);
  for (const line of lines) expect(line).toStartWith("33:33:");
});

/** The config of a pool whose php-cgi does this when it is asked of its settings. */
async function askedConfig(scene: Scene, answer: string): Promise<string> {
  const text = `#!/bin/sh\ncase "$*" in *-v) ${answer};; esac\nexec ${Bun.which("php-cgi")} "$@"\n`;
  const command = [scene.write("bin/php-cgi", text, 0o755)];
  const spot = await tcpSpot(scene);
  return scene.daemonConfig({ pools: { www: { ...phpPool(spot), command } } });
}

behaviour(
  "PHP that leaves something behind when it is asked of its settings holds up nobody",
  PHP,
  async (scene) => {
    const { path, open } = gate(scene);
    scene.atEnd(open);
    const stay = `setsid sh -c "while [ -f ${path} ]; do sleep 0.05; done" &`;
    const config = await askedConfig(scene, `${stay} true`);
    const start = await within("start", scene.fcgivisor(["start", "-c", config]));
    expect(start, start.stderr).toMatchObject({ code: 0 });
    scene.followDaemon(config);
  },
);

behaviour(
  "PHP that never stops printing when it is asked of its settings is not listened to",
  PHP,
  async (scene) => {
    const config = await askedConfig(scene, "exec yes");
    const start = await scene.fcgivisor(["start", "-c", config]);
    expect(start).toMatchObject({ code: 1 });
    // It has nobody to write to, long before it would be killed because it takes too long.
    expect(start.stderr).toContain("`php-cgi -v` failed with exit code 1");
  },
);

/** What comes on the control socket, and how it is answered: nobody is to be asked for the rest of it. */
const ABUSES: readonly (readonly [what: string, bytes: string, answer: RegExp])[] = [
  ["no HTTP at all", "\x00\xff\x1b[2J\r\n\r\n", /^HTTP\/1\.1 400 /],
  [
    "two lengths",
    request("POST", "/v1/reload", "Content-Length: 2\r\nContent-Length: 3", "{}"),
    /^HTTP\/1\.1 400 /,
  ],
  [
    "a length and chunks",
    request("POST", "/v1/reload", "Content-Length: 2\r\nTransfer-Encoding: chunked", "{}"),
    /^HTTP\/1\.1 400 /,
  ],
  [
    "a header without end",
    `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(1_000_000)}`,
    // Closed while it still writes, it may not get to read the answer.
    /^(HTTP\/1\.1 4\d\d |$)/,
  ],
  ["a way up", request("GET", "/v1/../../etc/passwd"), /^HTTP\/1\.1 404 /],
  ["escapes in the path", request("GET", "/v1/status%0d%0aX:%00%1b"), /^HTTP\/1\.1 404 /],
  ["another method", request("DELETE", "/v1/status"), /^HTTP\/1\.1 405 /],
  ["what every object has", request("GET", "/v1/constructor"), /^HTTP\/1\.1 404 /],
  [
    "a pool that every object has",
    posted("reload", '{"pools": ["__proto__"]}'),
    /^HTTP\/1\.1 4\d\d /,
  ],
  ["the prototype", posted("reload", '{"__proto__": {"dry_run": true}}'), /^HTTP\/1\.1 400 /],
  ["the constructor", posted("reload", '{"constructor": {"prototype": {}}}'), /^HTTP\/1\.1 400 /],
  ["depth", posted("reload", "[".repeat(500_000)), /^HTTP\/1\.1 400 /],
];

function request(method: string, path: string, headers = "X: y", body = ""): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n\r\n${body}`;
}

function posted(word: string, body: string): string {
  return request("POST", `/v1/${word}`, `Content-Length: ${body.length}`, body);
}

/** Sends these bytes and waits for the end of the connection. */
async function exchange(path: string, bytes: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(path, () => socket.write(Buffer.from(bytes, "latin1")));
  socket.on("data", (data) => (answer += data.toString("latin1")));
  socket.on("error", () => resolve(answer));
  socket.on("close", () => resolve(answer));
  return within("the answer", promise);
}

behaviour(
  "what is abuse of HTTP is refused, and neither changes anything nor keeps others waiting",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
    const workers = await workersReach(spot, 2);
    // They have begun to ask, and say no more.
    const idle = Array.from({ length: 200 }, () => connect(supervisor.socket));
    scene.atEnd(() => idle.forEach((socket) => socket.destroy()));
    for (const socket of idle) socket.on("error", () => {}).write("GET /v1/stat");
    for (const [what, bytes, answer] of ABUSES)
      expect(await exchange(supervisor.socket, bytes), what).toMatch(answer);
    expect((await supervisor.http("/healthz")).status).toBe(200);
    expect(await workersReach(spot, 2)).toEqual(workers);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
  },
);
