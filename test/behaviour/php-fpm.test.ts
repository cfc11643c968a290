// What is special about pools whose program is a php-fpm master: who is which user, what becomes of its own
// signals, its logs and its directives. What holds for php-cgi, too, is where the tests of that are.

import { expect } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { allLeft, crash, recovered } from "../helper/crash.ts";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { gate, holdPhp } from "../helper/gate.ts";
import { PHP_FPM } from "../helper/php.ts";
import { bodyOf, renewed, tcpSpot, unixSpot, workersReach } from "../helper/pool.ts";
import {
  alive,
  commandOf,
  leadersAt,
  listenersAt,
  niceOf,
  procText,
  softLimit,
  statusField,
  workersAt,
} from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import {
  AS_NOBODY,
  behaviour,
  NOBODY,
  type Scene,
  WITHOUT_PTRACE,
  WORKER_USER,
} from "../helper/scene.ts";
import { underLoad, whileSending } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const FPM = { needs: ["php-fpm"] } as const;
const FPM_AS_ROOT = { needs: ["php-fpm", "root"] } as const;
const PASSWORD = "tcp://cache?auth=s3cr3t";

/** The settings files in the state directory of a scene's supervisor. */
function settingsFiles(scene: Scene): string[] {
  const folder = scene.path("run");
  return readdirSync(folder)
    .filter((name) => name.startsWith("settings-"))
    .map((name) => join(folder, name));
}

behaviour("a php-fpm pool is a master and the workers it forked, one too", FPM, async (scene) => {
  for (const workers of [1, 3]) {
    const { spot, supervisor } = await PHP_FPM.run(
      scene,
      { workers },
      unixSpot(scene, `${workers}`),
    );
    const [master, ...more] = leadersAt(spot.where);
    expect(more).toEqual([]);
    expect(commandOf(master!)[0]).toContain("php-fpm: master process");
    const { stdout } = await supervisor.control("status", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      pools: [{ state: "serving", runtime: "php-fpm", workers: { idle: workers, unknown: 0 } }],
    });
    expect((await supervisor.control("stop")).code).toBe(0);
  }
});

behaviour(
  "the master stays root, its workers are the pool's user, with its priority, limits and folder",
  FPM_AS_ROOT,
  async (scene) => {
    mkdirSync(scene.path("work"));
    const extra = { workers: 1, user: "www-data", group: "games", nice: 5, rlimit_files: 321 };
    const more = {
      rlimit_core: 4096,
      umask: "0027",
      chdir: scene.path("work"),
      no_new_privs: true,
    };
    const { spot, workers } = await PHP_FPM.run(scene, { ...extra, ...more });
    const [master] = leadersAt(spot.where);
    expect(statusField(master!, "Uid")).toMatch(/^0\b/);
    const [worker] = workers;
    expect(statusField(worker!, "Uid")).toMatch(/^33\b/);
    expect(statusField(worker!, "Gid")).toMatch(/^60\b/);
    expect(niceOf(worker!)).toBe(5);
    expect(softLimit(worker!, "Max open files")).toBe("321");
    expect(softLimit(worker!, "Max core file size")).toBe("4096");
    expect(statusField(worker!, "Umask")).toBe("0027");
    expect(statusField(worker!, "NoNewPrivs")).toBe("1");
    const script = scene.write("www/where.php", "<?php echo getcwd();");
    // As php-fpm has it: a request is served in the folder of its script.
    expect(await bodyOf(spot, { script })).toBe(scene.path("www"));
  },
);

behaviour("without root everything is the user's", FPM_AS_ROOT, async (scene) => {
  const spot = await tcpSpot(scene);
  const binary = scene.path("fcgivisor");
  copyFileSync(BINARY, binary);
  chownSync(scene.dir, NOBODY, NOBODY);
  const pools = { www: PHP_FPM.pool(spot, { nice: 5 }) };
  await scene.run({ pools }, { under: AS_NOBODY, binary });
  const reload = [...AS_NOBODY, binary, "reload", "-c", scene.path("fcgivisor.toml")];
  const workers = await workersReach(spot, 2);
  for (const pid of [...leadersAt(spot.where), ...workers])
    expect(statusField(pid, "Uid")).toMatch(new RegExp(`^${NOBODY}\\b`));
  expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  expect(await scene.command(reload)).toMatchObject({ code: 0 });
  await renewed(spot, { count: 2, old: workers });
});

behaviour("a chroot needs no PHP inside", FPM_AS_ROOT, async (scene) => {
  mkdirSync(scene.path("jail/srv"), { recursive: true });
  chmodSync(scene.path("jail"), 0o755);
  scene.write(
    "jail/srv/in.php",
    "<?php echo getcwd(), file_exists('/etc/passwd') ? ' out ' : ' in ', ini_get('user_agent');",
  );
  const php = { ini: scene.write("php.ini", 'user_agent = "from outside"\n') };
  const { spot, supervisor } = await PHP_FPM.run(scene, {
    chroot: scene.path("jail"),
    chdir: "/srv",
    php,
  });
  expect(await bodyOf(spot, { script: "/srv/in.php" })).toBe("/srv in from outside");
  expect(await supervisor.control("check")).toMatchObject({ code: 0 });
});

behaviour(
  "variables and settings reach PHP as they are written, and no stranger can read them",
  FPM,
  async (scene) => {
    const odd = `a 'b' "c" (d); $e \${PATH} | f!\nuser = root`;
    const env = {
      ODD: odd,
      EMPTY: "",
      LOOKED: "$FV_GIVEN",
      DOLLAR: "5$FV_GIVEN",
      SECRET: PASSWORD,
    };
    const php = { defines: { user_agent: odd }, admin: { "session.save_path": PASSWORD } };
    const spot = await tcpSpot(scene);
    const pools = { www: PHP_FPM.pool(spot, { env, php }) };
    const supervisor = await scene.run({ pools }, { env: { FV_GIVEN: "given" } });
    const code = `<?php ini_set("session.save_path", "changed");
      echo json_encode([getenv("ODD"), getenv("EMPTY"), getenv("LOOKED"), getenv("DOLLAR"), getenv("FV_GIVEN"),
        ini_get("user_agent"), ini_get("session.save_path")]);`;
    const seen = JSON.parse(await bodyOf(spot, { script: scene.write("www/seen.php", code) }));
    expect(seen).toEqual([odd, "", "given", "5$FV_GIVEN", false, odd, PASSWORD]);
    for (const pid of [...leadersAt(spot.where), ...workersAt(spot.where)])
      expect(procText(pid, "cmdline")).not.toContain("s3cr3t");
    const [file, ...more] = settingsFiles(scene);
    expect(more).toEqual([]);
    expect(statSync(file!).mode & 0o777).toBe(0o600);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect(settingsFiles(scene).length).toBe(1);
    expect(settingsFiles(scene)).not.toContain(file);
    expect(supervisor.log()).not.toContain("s3cr3t");
  },
);

/** What somebody sends a master by hand, what the log calls it, and the word for it. */
const BY_HAND = [
  ["SIGUSR2", "SIGUSR2 or SIGHUP", "reload"],
  ["SIGHUP", "SIGUSR2 or SIGHUP", "reload"],
  ["SIGQUIT", "SIGQUIT", "quit"],
] as const;

for (const [signal, named, word] of BY_HAND) {
  behaviour(
    `${signal} by hand to a master loses no request, and the pool is as it was`,
    FPM,
    async (scene) => {
      const {
        spot,
        supervisor,
        workers: old,
      } = await PHP_FPM.start(scene, { workers: 3 }, unixSpot(scene));
      const script = scene.fixture("php/hello.php");
      const inode = statSync(spot.listen).ino;
      const [master] = leadersAt(spot.where);
      const held = await holdPhp(scene, spot);
      await underLoad(spot, { script }, async ({ further }) => {
        process.kill(master!, signal);
        await supervisor.logged(
          `somebody sent ${named} to ${master}, the leader of pool www; another one takes its place; use \`fcgivisor ${word}\` instead`,
        );
        // The worker that is busy has let go of the socket, and finishes its request.
        await renewed(spot, { count: 3, old });
        await further(20);
        expect(alive(held.worker)).toBe(true);
        await held.finish();
      });
      await eventually(() => !alive(held.worker));
      expect(alive(master!)).toBe(false);
      expect(statSync(spot.listen).ino).toBe(inode);
    },
  );
}

behaviour("TERM by hand to a master: the pool is back, on the same socket", FPM, async (scene) => {
  const { spot, supervisor, workers: old } = await PHP_FPM.start(scene, {}, unixSpot(scene));
  const sockets = listenersAt(spot.where);
  process.kill(leadersAt(spot.where)[0]!, "SIGTERM");
  await renewed(spot, { count: 2, old });
  await supervisor.logged("use `fcgivisor stop` instead");
  expect(listenersAt(spot.where)).toEqual(sockets);
  expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
});

behaviour(
  "a master that is killed leaves its workers serving until others do",
  FPM,
  async (scene) => {
    const { spot, supervisor, workers: old } = await PHP_FPM.start(scene, { workers: 3 });
    const held = await holdPhp(scene, spot);
    await underLoad(spot, { script: scene.fixture("php/hello.php") }, async ({ further }) => {
      process.kill(leadersAt(spot.where)[0]!, "SIGKILL");
      await renewed(spot, { count: 3, old, kept: [held.worker] });
      await further(20);
    });
    await held.finish();
    await supervisor.logged("was killed by SIGKILL");
  },
);

behaviour(
  "what workers and masters write comes out once, with its writer and level, and nothing around it",
  FPM,
  async (scene) => {
    const { spot, supervisor, workers } = await PHP_FPM.run(scene);
    const forged = "[29-Nov-2026 03:20:03] NOTICE: Finishing ...";
    const long = "x".repeat(20_000);
    const code = `<?php $err = fopen("php://stderr", "w");
      fwrite($err, "plain words\\n${forged}\\n${long}\\n");
      error_log("noted");
      trigger_error("careful", E_USER_WARNING);
      echo getmypid();`;
    const pid = await bodyOf(spot, { script: scene.write("www/say.php", code) });
    await fcgi(spot.where, { script: scene.write("www/die.php", "<?php nowhere();") });
    await supervisor.logged("nowhere()");
    const log = supervisor.log();
    const lines = (text: string) => log.split("\n").filter((line) => line.includes(text));
    const said = (text: string) => lines(text).map((line) => line.slice(line.indexOf(" ") + 1));
    expect(said("plain words")).toEqual([`output  pool www, worker ${pid}: plain words`]);
    expect(said(forged)).toEqual([`output  pool www, worker ${pid}: ${forged}`]);
    expect(said(long).length).toBe(1);
    expect(said("noted")).toEqual([`output  pool www, worker ${pid}: noted`]);
    expect(said("careful")[0]).toStartWith(
      `warn    pool www, worker ${pid}: PHP Warning:  careful in`,
    );
    expect(said("nowhere()")[0]).toMatch(/^error {3}pool www, worker \d+: PHP Fatal error: /);
    expect(said("thrown in")[0]).toMatch(/^error {3}pool www/);
    for (const usual of ["fpm is running", "ready to handle", "inherited socket", "child "])
      expect(lines(usual)).toEqual([]);
    expect(workersAt(spot.where).toSorted()).toEqual(workers.toSorted());
  },
);

behaviour("a worker that dies is back, and the log says how it died", FPM, async (scene) => {
  const { spot, supervisor, workers } = await PHP_FPM.run(scene);
  process.kill(workers[0]!, "SIGSEGV");
  await renewed(spot, { count: 1, old: workers, kept: [workers[1]!] });
  const [master] = leadersAt(spot.where);
  await supervisor.logged(
    `worker ${workers[0]} of pool www was killed by SIGSEGV and was replaced by its leader ${master}; it crashed or was killed`,
  );
  expect(supervisor.log()).not.toContain("exited on signal");
});

behaviour("max_requests replaces workers, which nobody needs to be told", FPM, async (scene) => {
  const { spot, supervisor, workers: old } = await PHP_FPM.run(scene, { max_requests: 5 });
  const script = scene.fixture("php/hello.php");
  for (let i = 0; i < 30; i++) expect(await bodyOf(spot, { script })).toContain("hello");
  await renewed(spot, { count: 2, old });
  expect(supervisor.log()).not.toContain("replaced");
  expect(supervisor.log()).not.toContain("exited");
});

behaviour(
  "logrotate has a master open its access log again, and no line of it is lost",
  FPM,
  async (scene) => {
    mkdirSync(scene.path("logs"));
    const file = scene.path("logs/access.log");
    const fpm = { "access.log": file, "access.format": "%{REQUEST_URI}e" };
    const { spot, supervisor } = await PHP_FPM.start(scene, { workers: 3, fpm });
    const script = scene.fixture("php/hello.php");
    let rotated = 0;
    let asked = 0;
    const send = async () => {
      asked++;
      await bodyOf(spot, { script });
    };
    await whileSending(send, async ({ further }) => {
      for (; rotated < 3; rotated++) {
        await further(30);
        renameSync(file, `${file}.${rotated}`);
        expect(await supervisor.control("logrotate")).toMatchObject({ code: 0 });
        expect(statSync(file).isFile()).toBe(true);
      }
      await further(30);
    });
    const written = () =>
      readdirSync(scene.path("logs"))
        .flatMap((name) => textOf(scene.path("logs", name)).split("\n"))
        .filter((line) => line !== "").length;
    await eventually(() => written() === asked, { what: `${asked} lines, ${written()} written` });
    expect(supervisor.log()).not.toContain("crashed");
  },
);

behaviour(
  "who ends requests that take too long is either php-fpm or the supervisor",
  FPM,
  async (scene) => {
    const [theirs, ours] = [unixSpot(scene, "theirs"), unixSpot(scene, "ours")];
    const fpm = { request_terminate_timeout: "1s" };
    const supervisor = await scene.run({
      pools: {
        theirs: PHP_FPM.pool(theirs, { fpm }),
        ours: PHP_FPM.pool(ours, { request_timeout: "300ms" }),
      },
    });
    const held = [await holdPhp(scene, theirs), await holdPhp(scene, ours)];
    for (const { answer } of held) await expect(answer).rejects.toBeInstanceOf(Lost);
    const killed = `worker ${held[1]!.worker} of pool ours is killed: GET .* has taken`;
    await supervisor.logged(new RegExp(killed));
    const timedOut = `pool theirs, worker ${held[0]!.worker}: script .* execution timed out .*, terminating`;
    await supervisor.logged(new RegExp(`warn {4}${timedOut}`));
    expect(supervisor.log()).not.toContain(`worker ${held[0]!.worker} of pool theirs is killed`);
    expect(supervisor.log()).not.toContain("crashed or was killed");
    for (const spot of [theirs, ours]) await workersReach(spot, 2);
  },
);

behaviour(
  "what goes on behind fastcgi_finish_request() is finished before a reload ends its worker",
  FPM,
  async (scene) => {
    const { spot, supervisor, workers: old } = await PHP_FPM.start(scene);
    const code = `<?php echo "answered"; fastcgi_finish_request();
      require "${scene.fixture("php/gate.php")}"; touch($gate . ".done");`;
    const script = scene.write("www/behind.php", code);
    const waiting = gate(scene);
    const answer = await fcgi(spot.where, { script, query: waiting.path });
    expect(answer.body).toBe("answered");
    const worker = await waiting.reached();
    const reload = supervisor.control("reload");
    await renewed(spot, { count: 2, old, kept: [worker] });
    expect(alive(worker)).toBe(true);
    waiting.open();
    expect(await reload).toMatchObject({ code: 0 });
    expect(statSync(`${waiting.path}.done`).isFile()).toBe(true);
  },
);

behaviour("a directive that php-fpm does not take is told beforehand", FPM, async (scene) => {
  const { spot, supervisor, workers } = await PHP_FPM.start(scene);
  const fpm = { "access.log": scene.path("access.log"), "access.format": "%Z" };
  scene.rewrite({ pools: { www: PHP_FPM.pool(spot, { fpm }) } });
  for (const word of ["check", "reload"]) {
    const { code, stderr } = await supervisor.control(word);
    expect(code, stderr).toBe(1);
    expect(stderr).toContain("wrong format for access.format '%Z'");
  }
  expect(await workersReach(spot, 2)).toEqual(workers);
});

behaviour(
  "a link to fcgivisor by the name php-fpm is not taken for php-fpm",
  FPM,
  async (scene) => {
    const link = scene.path("php-fpm");
    symlinkSync(BINARY, link);
    const spot = await tcpSpot(scene);
    const config = scene.config({ pools: { www: PHP_FPM.pool(spot, { command: [link] }) } });
    const { code, stderr } = await scene.fcgivisor(["check", "-c", config]);
    expect(code).toBe(1);
    expect(stderr).toContain(`the program ${link} is fcgivisor itself, by a link`);
  },
);

behaviour(
  "after kill -9 of the supervisor and a start, no settings file of the dead one is left",
  FPM,
  async (scene) => {
    const { spot, supervisor: dead } = await PHP_FPM.start(scene);
    const before = settingsFiles(scene);
    expect(before.length).toBe(1);
    await crash(dead);
    await recovered(scene, dead);
    await workersReach(spot, 2);
    expect(settingsFiles(scene).length).toBe(1);
    expect(settingsFiles(scene)).not.toEqual(before);
  },
);

behaviour(
  "a master whose workers cannot live is not left to fork them without end; when they can, the pool is back",
  FPM,
  async (scene) => {
    mkdirSync(scene.path("work"));
    const { spot, supervisor, workers } = await PHP_FPM.start(scene, { chdir: scene.path("work") });
    const [master] = leadersAt(spot.where);
    rmSync(scene.path("work"), { recursive: true });
    for (const pid of workers) process.kill(pid, "SIGKILL");
    await supervisor.logged(`leader ${master} of pool www keeps forking workers that die`);
    // Not only the look at what it forks tells that: that would be hundreds of them later.
    const told = supervisor.log().match(/exited with code 70/g)!.length;
    expect(told).toBeLessThan(100);
    await supervisor.logged(/workers of pool www failed .*next try in/);
    await eventually(() => !alive(master!));
    mkdirSync(scene.path("work"));
    await workersReach(spot, 2);
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  },
);

behaviour(
  "without the right to look into the workers, the socket is taken back out of their master, which is root's",
  FPM_AS_ROOT,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.daemonConfig({ pools: { www: PHP_FPM.pool(spot, WORKER_USER) } });
    const blind = (...words: string[]) =>
      scene.command([...WITHOUT_PTRACE, BINARY, ...words, "-c", config]);
    expect(await blind("start")).toMatchObject({ code: 0 });
    const old = await workersReach(spot, 2);
    const [master] = leadersAt(spot.where);
    const { pid } = JSON.parse((await blind("status", "--json")).stdout) as { pid: number };
    await underLoad(spot, { script: scene.fixture("php/hello.php") }, async ({ further }) => {
      process.kill(pid, "SIGKILL");
      await allLeft([pid]);
      const again = await blind("start");
      expect(again).toMatchObject({ code: 0 });
      expect(again.stdout).not.toContain("had to be reopened");
      await renewed(spot, { count: 2, old });
      await further(5);
    });
    await allLeft([...old, master!]);
    expect(await blind("stop")).toMatchObject({ code: 0 });
  },
);

behaviour(
  "a chroot that is read-only, with a /tmp of its own, is the workers'; php-fpm's own pages answer",
  { needs: ["php-fpm", "root", "mounting"] },
  async (scene) => {
    // Outside /tmp, which the master sees as an empty one.
    const jail = mkdtempSync("/opt/fv-jail-");
    scene.atEnd(() => rmSync(jail, { recursive: true }));
    chmodSync(jail, 0o755);
    for (const folder of ["srv", "tmp", "var/tmp"])
      mkdirSync(join(jail, folder), { recursive: true });
    const code = `<?php foreach (["/tmp", "/srv", ""] as $in) echo (int) (bool) @file_put_contents("$in/a", "x");`;
    writeFileSync(join(jail, "srv/in.php"), code);
    const state_dir = join(jail, "run");
    const fpm = { "ping.path": "/ping", "pm.status_path": "/status" };
    const spot = await tcpSpot(scene);
    const confined = { chroot: jail, private_tmp: true, read_only: true, fpm };
    const supervisor = await scene.run({
      supervisor: { state_dir },
      admin: { socket: join(state_dir, "admin.sock") },
      pools: { www: PHP_FPM.pool(spot, confined) },
    });
    expect(await bodyOf(spot, { script: "/srv/in.php" })).toBe("100");
    expect(await bodyOf(spot, { script: "/ping", params: { SCRIPT_NAME: "/ping" } })).toBe("pong");
    expect(supervisor.log()).not.toContain("warn");
  },
);

behaviour(
  "workers that cannot become their user fail the start at once, and the reason is told",
  FPM_AS_ROOT,
  async (scene) => {
    const pool = PHP_FPM.pool(await tcpSpot(scene), { user: "www-data" });
    const config = scene.daemonConfig({ pools: { www: pool } });
    const powerless = ["setpriv", "--bounding-set", "-setuid,-setgid", "--"];
    const { code, stderr } = await scene.command([...powerless, BINARY, "start", "-c", config]);
    expect(code, stderr).toBe(1);
    expect(stderr).toContain("forks end before they can serve; it wrote: ");
    expect(stderr).toMatch(/failed to (setgid|setuid|initgroups)/);
  },
);
