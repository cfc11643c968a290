// The log: whole lines, each told by pool and by the process that wrote it; reopened, bounded, and never
// a reason for the service to stand still.

import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { hold, type Held } from "../helper/gate.ts";
import { load } from "../helper/load.ts";
import { findProgram } from "../helper/packages.ts";
import { forEachPhp } from "../helper/php.ts";
import { barePool, bodyOf, phpPool, tcpSpot, workersReach } from "../helper/pool.ts";
import { rssOf } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { startBare, startPhp } from "../helper/serving.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

/** Lines of the log that PHP workers wrote by say.php: tag, number, the writer by its own account. */
function said(text: string, tag: string): { line: string; number: number; pid: number }[] {
  return text
    .split("\n")
    .map((line) => ({ line, found: new RegExp(`${tag} (\\d+) by (\\d+) (x*)\\.`).exec(line) }))
    .filter(({ found }) => found !== null)
    .map(({ line, found }) => ({ line, number: Number(found![1]), pid: Number(found![2]) }));
}

behaviour(
  "workers' output is tagged with pool and the pid of the very worker",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const [script, waits] = [scene.fixture("php/say.php"), scene.fixture("php/gate.php")];
    const supervisor = await scene.start({ pools: { storefront: phpPool(spot, { workers: 3 }) } });
    const all = [1, 2, 3];
    const held: Held[] = [];
    for (const _ of all) held.push(await hold(scene, spot, { script: waits }));
    // Each in its turn is the only one that is free.
    for (const i of all) {
      const { worker, answer, open } = held.shift()!;
      open();
      await answer;
      const body = await bodyOf(spot, { script, query: `tag=t${i}z&lines=12` });
      expect(Number(body)).toBe(worker);
      held.push(await hold(scene, spot, { script: waits }));
    }
    const workers = held.map(({ worker }) => worker);
    for (const { open } of held) open();
    await Promise.all(held.map(({ answer }) => answer));
    await eventually(() => said(supervisor.log(), "t\\d+z").length === 36);
    const lines = said(supervisor.log(), "t\\d+z");
    for (const { line, pid } of lines) {
      const head = line.slice(0, line.search(/t\d+z /));
      expect(head).toContain("storefront");
      expect(head).toMatch(new RegExp(`\\b${pid}\\b`));
    }
    const writers = lines.filter(({ number }) => number === 0).map(({ pid }) => pid);
    expect(writers.toSorted()).toEqual(workers.toSorted());
  },
);

behaviour(
  "JSON log lines carry time, level, pool, pid and the worker's message",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/say.php");
    const supervisor = await scene.start({
      log: { format: "json" },
      pools: { storefront: phpPool(spot) },
    });
    const pid = Number(await bodyOf(spot, { script, query: "tag=odd%22q%5C&lines=1" }));
    await supervisor.logged("odd");
    const lines = supervisor.log().trim().split("\n");
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const record of records) {
      expect(Object.keys(record)).toContain("time");
      expect(Object.keys(record)).toContain("level");
    }
    const record = records.find((r) => JSON.stringify(r).includes("odd"))!;
    expect(record).toMatchObject({ pool: "storefront", pid });
    expect(Object.values(record).some((v) => String(v).startsWith('odd"q\\ 0 by'))).toBe(true);
  },
);

behaviour("log_output = false drops it", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/say.php");
  const supervisor = await scene.start({
    pools: { quiet: phpPool(spot, { log_output: false }) },
  });
  await bodyOf(spot, { script, query: "tag=unheard" });
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  await supervisor.logged("has stopped");
  expect(supervisor.log()).not.toContain("unheard");
});

behaviour("long lines of many workers at once stay whole and unmixed", PHP, async (scene) => {
  const script = scene.fixture("php/say.php");
  const { spot, supervisor } = await startPhp(scene, { workers: 4, umask: "0022" });
  const size = 9_000;
  await Promise.all(
    Array.from({ length: 16 }, (_, i) =>
      bodyOf(spot, { script, query: `tag=w${i}z&lines=20&size=${size}` }),
    ),
  );
  const wanted = 16 * 20;
  await eventually(() => said(supervisor.log(), "w\\d+z").length >= wanted);
  const lines = said(supervisor.log(), "w\\d+z");
  expect(lines.length).toBe(wanted);
  for (const { line } of lines) {
    expect(line.length - line.search(/w\d+z /)).toBe(size);
    expect(line.match(/ by /g)!.length).toBe(1);
  }
});

behaviour(
  "a worker that floods stderr costs bounded memory, and the rest goes on",
  {},
  async (scene) => {
    const noisy = await tcpSpot(scene);
    const calm = await tcpSpot(scene);
    const supervisor = await scene.start({
      pools: {
        noisy: barePool(scene, noisy, { workers: 1 }, "flood"),
        calm: barePool(scene, calm),
      },
    });
    const log = scene.path("fcgivisor.log");
    await eventually(() => statSync(log).size > 20_000_000);
    const early = rssOf(supervisor.pid);
    await underLoad(calm, {}, async ({ further }) => further(50));
    expect(await supervisor.control("status")).toMatchObject({ code: 0 });
    expect(rssOf(supervisor.pid)).toBeLessThan(Math.max(early, 60_000) + 40_000);
    expect(rssOf(supervisor.pid)).toBeLessThan(200_000);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  },
);

behaviour("move-then-reopen loses no line", PHP, async (scene) => {
  const script = scene.fixture("php/say.php");
  const { spot, supervisor } = await startPhp(scene);
  const log = scene.path("fcgivisor.log");
  const parts = [log];
  const over = Promise.withResolvers<void>();
  let served = 0;
  const send = async (i: number) => {
    await bodyOf(spot, { script, query: `tag=r${i}z` });
    served++;
  };
  const running = load({ rate: 100, until: over.promise, send });
  for (let i = 1; i <= 6; i++) {
    const wanted = served + 20;
    await eventually(() => served >= wanted, { what: "more lines are written" });
    renameSync(log, `${log}.${i}`);
    parts.push(`${log}.${i}`);
    expect(await supervisor.control("logrotate")).toMatchObject({ code: 0 });
    expect(existsSync(log)).toBe(true);
  }
  over.resolve();
  const { sent, lost, messages } = await running;
  expect(lost, messages.join("\n")).toEqual({});
  const all = (): string => parts.map(textOf).join("");
  await eventually(() => said(all(), "r\\d+z").length >= sent, { what: "all lines are written" });
  const tags = said(all(), "r\\d+z").map(({ line }) => Number(/r(\d+)z/.exec(line)![1]));
  expect(tags.toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
});

behaviour(
  "logrotate(8) with the command in its postrotate script",
  { needs: ["logrotate"] },
  async (scene) => {
    const { supervisor } = await startBare(scene);
    const log = scene.path("fcgivisor.log");
    const rules = scene.write(
      "rotate.conf",
      `${log} {\n  size 1\n  rotate 3\n  nocompress\n  postrotate\n` +
        `    ${BINARY} logrotate -q --socket ${supervisor.socket}\n  endscript\n}\n`,
    );
    const before = readFileSync(log, "utf8");
    const rotate = [findProgram("logrotate")!, "-f", "-s", scene.path("state"), rules];
    expect(await scene.command(rotate)).toMatchObject({ code: 0 });
    expect(readFileSync(`${log}.1`, "utf8")).toStartWith(before);
    expect(existsSync(log)).toBe(true);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(textOf(log)).toContain("reload done");
  },
);

behaviour(
  "logrotate that cannot open the file says so and goes on with the old one",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    mkdirSync(scene.path("logs"));
    const file = scene.path("logs/main.log");
    const supervisor = await scene.start({ log: { file }, pools: { www: barePool(scene, spot) } });
    renameSync(scene.path("logs"), scene.path("moved"));
    writeFileSync(scene.path("logs"), "not a folder");
    const outcome = await supervisor.control("logrotate");
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain(file);
    expect(await bodyOf(spot, {})).toContain("hello");
    rmSync(scene.path("logs"));
    mkdirSync(scene.path("logs"));
    expect(await supervisor.control("logrotate")).toMatchObject({ code: 0 });
    expect(existsSync(file)).toBe(true);
  },
);

behaviour(
  "a reload to a log that cannot be opened is refused before anything is touched",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pools = { www: barePool(scene, spot) };
    const supervisor = await scene.start({ pools });
    const before = await workersReach(spot, 2);
    scene.rewrite({ log: { file: scene.path("none/main.log") }, pools });
    const outcome = await supervisor.control("reload");
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain(`mkdir -p ${scene.path("none")}`);
    expect(await workersReach(spot, 2)).toEqual(before);
    mkdirSync(scene.path("none"));
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(readFileSync(scene.path("none/main.log"), "utf8")).toContain("reload done");
  },
);

behaviour("a log level hides what is below it", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({
    log: { level: "error" },
    pools: { www: barePool(scene, spot) },
  });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect(supervisor.log()).toBe("");
});

behaviour(
  "a full disk under the log: the service goes on, and what was lost is told afterwards",
  { needs: ["root", "mounting", "mount", "php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/say.php");
    const disk = await smallDisk(scene);
    const file = `${disk}/main.log`;
    const supervisor = await scene.start({ log: { file }, pools: { www: phpPool(spot) } });
    writeFileSync(`${disk}/ballast`, Buffer.alloc(1_500_000));
    await eventually(async () => {
      await bodyOf(spot, { script, query: "tag=fill&lines=200&size=500" });
      return statSync(file).size > 400_000;
    });
    for (let i = 0; i < 10; i++) {
      await bodyOf(spot, { script, query: "tag=lost&lines=100&size=500" });
    }
    await eventually(() => statfsSync(disk).bavail === 0, { what: "the disk is full" });
    expect(await supervisor.control("status")).toMatchObject({ code: 0 });
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    rmSync(`${disk}/ballast`);
    await eventually(
      async () => {
        await bodyOf(spot, { script, query: "tag=after" });
        const text = readFileSync(file, "utf8");
        return /after \d+ by/.test(text) && /\b(lost|dropped|not written)\b/i.test(tail(text));
      },
      {
        every: 200,
        what: "lines are written again, with one that tells the loss",
      },
    );
    await workersReach(spot, 2);
  },
);

function tail(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/ (fill|lost|after) \d+ by /.test(line))
    .join("\n");
}

/** A tmpfs of 2 MB in the scene's folder, unmounted at the end. */
async function smallDisk(scene: Scene): Promise<string> {
  const disk = scene.path("disk");
  mkdirSync(disk);
  const mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk];
  expect(await scene.command(mount)).toMatchObject({ code: 0 });
  scene.atEnd(async () => {
    await scene.command(["umount", "-l", disk]);
  });
  return disk;
}

forEachPhp(
  'php = { errors = "log" }: what PHP says is in the log, whole, with its level, and not sent to the web server',
  {},
  async (scene, php) => {
    const long = "x".repeat(9_000);
    const script = scene.write(
      "www/errors.php",
      `<?php error_log("noted"); error_log("${long}"); trigger_error("careful", E_USER_WARNING);
      echo getmypid(); flush(); nowhere();`,
    );
    const { spot, supervisor } = await php.run(scene, { php: { errors: "log" } });
    const { body, stderr } = await fcgi(spot.where, { script });
    expect(stderr).toBe("");
    const who = `pool www, worker ${/^\d+/.exec(body)![0]}`;
    await supervisor.logged(new RegExp(`error {3}${who}: PHP Fatal error: .*nowhere`));
    const log = supervisor.log();
    expect(log).toMatch(new RegExp(`(notice|output) +${who}: noted$`, "m"));
    expect(log).toContain(`${who}: ${long}\n`);
    expect(log).toMatch(new RegExp(`warn {4}${who}: PHP Warning: +careful in`));
    expect(log.split("careful in").length).toBe(2);
  },
);
