// What a worker runs as and in: descriptors, identity, folders, limits, environment, signals. Read from
// /proc of the real process.

import { expect } from "bun:test";
import { chownSync, copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { forEachPhp } from "../helper/php.ts";
import {
  barePool,
  bodyOf,
  NO_HURRY,
  phpPool,
  renewed,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import {
  descriptorsOf,
  environmentOf,
  leadersAt,
  listenersAt,
  niceOf,
  procLink,
  procText,
  softLimit,
  statusField,
  workersAt,
} from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import {
  AM_ROOT,
  AS_NOBODY,
  behaviour,
  NOBODY,
  type RunOptions,
  type Scene,
} from "../helper/scene.ts";

async function oneWorker(
  scene: Scene,
  extra: Record<string, unknown>,
  options: RunOptions = {},
): Promise<number> {
  const spot = await tcpSpot(scene);
  await scene.run({ pools: { www: barePool(scene, spot, { workers: 1, ...extra }) } }, options);
  const [pid] = await workersReach(spot, 1);
  return pid!;
}

behaviour("a worker has descriptors 0, 1 and 2 open, and nothing else", {}, async (scene) => {
  const pid = await oneWorker(scene, {});
  expect([...descriptorsOf(pid).keys()].toSorted()).toEqual([0, 1, 2]);
});

behaviour(
  "a php-cgi leader and its workers hold the listening socket, their output, and no other socket",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    await scene.run({ pools: { www: phpPool(spot), other: phpPool(await tcpSpot(scene)) } });
    const pids = [...(await workersReach(spot, 2)), ...leadersAt(spot.where)];
    expect(pids.length).toBe(3);
    for (const pid of pids) {
      const sockets = [...descriptorsOf(pid).entries()].filter(([, to]) =>
        to.startsWith("socket:"),
      );
      expect(sockets.map(([fd]) => fd).filter((fd) => fd > 2)).toEqual([]);
      const listening = sockets.filter(([, to]) =>
        listenersAt(spot.where).some((i) => to.includes(i)),
      );
      expect(listening.map(([fd]) => fd)).toEqual([0]);
    }
  },
);

behaviour("user, and the user's own group", { needs: ["root"] }, async (scene) => {
  const pid = await oneWorker(scene, { user: "backup" });
  expect(statusField(pid, "Uid").split("\t")).toEqual(["34", "34", "34", "34"]);
  expect(statusField(pid, "Gid").split("\t")).toEqual(["34", "34", "34", "34"]);
});

behaviour("a group other than the user's", { needs: ["root"] }, async (scene) => {
  const pid = await oneWorker(scene, { user: "www-data", group: "games" });
  expect(statusField(pid, "Uid").split("\t")[0]).toBe("33");
  expect(statusField(pid, "Gid").split("\t")).toEqual(["60", "60", "60", "60"]);
  // Whether the list names the group once more makes no difference.
  expect(groupsOf(pid).filter((group) => group !== 60)).toEqual([]);
});

behaviour(
  "supplementary groups are the user's, and none of root's",
  { needs: ["root", "mounting", "mount", "unshare"] },
  async (scene) => {
    const groups = readFileSync("/etc/group", "utf8")
      .split("\n")
      .map((line) => (/^(games|backup):/.test(line) ? `${line.replace(/:$/, ":")}www-data` : line));
    const file = scene.write("group", groups.join("\n"));
    const mounted = `mount --bind "$0" /etc/group && exec "$@"`;
    const under = ["unshare", "-m", "sh", "-c", mounted, file];
    const pid = await oneWorker(scene, {}, { under });
    expect(groupsOf(pid)).toEqual([33, 34, 60]);
  },
);

function groupsOf(pid: number): number[] {
  const text = statusField(pid, "Groups");
  return text === "" ? [] : text.split(" ").map(Number);
}

for (const { title, more, needs } of [
  { title: "chroot, and chdir inside it", more: {}, needs: [] },
  {
    title: "the same with mounts of its own",
    more: { private_tmp: true, read_only: true, writable: ["/srv"] },
    needs: ["mounting"],
  },
] as const) {
  behaviour(
    title,
    { needs: ["root", "gcc", "libfcgi", "libc-headers", ...needs] },
    async (scene) => {
      mkdirSync(scene.path("jail/tmp"), { recursive: true });
      const source = scene.fixture("fcgi/hello.c");
      mkdirSync(scene.path("jail/srv"), { recursive: true });
      const compile = ["gcc", "-static", "-o", scene.path("jail/hello"), source, "-lfcgi"];
      expect(await scene.command(compile)).toMatchObject({ code: 0 });
      const extra = {
        command: ["/hello"],
        chroot: scene.path("jail"),
        chdir: "/srv",
        ...NO_HURRY,
        ...more,
      };
      const spot = await tcpSpot(scene);
      await scene.run({ pools: { www: { listen: spot.listen, workers: 1, ...extra } } });
      const [pid] = await workersReach(spot, 1);
      expect(procLink(pid!, "root")).toBe(scene.path("jail"));
      expect(procLink(pid!, "cwd")).toBe(scene.path("jail/srv"));
      expect(statusField(pid!, "Uid").split("\t")[0]).toBe("33");
      expect(await bodyOf(spot, {})).toContain("hello from C");
      // Below its root directory, as proc_pid_mountinfo(5) tells it: where, and whether it can be written.
      const mounts = procText(pid!, "mountinfo")
        .split("\n")
        .map((line) => line.split(" "));
      const options = (path: string) =>
        mounts.findLast((row) => row[4] === path)?.[5]?.split(",")[0];
      if ("private_tmp" in more) expect(["/srv", "/tmp"].map(options)).toEqual(["rw", "rw"]);
    },
  );
}

behaviour(
  "a program that is not inside the chroot is found by check",
  { needs: ["root"] },
  async (scene) => {
    mkdirSync(scene.path("jail"));
    const spot = await tcpSpot(scene);
    const config = scene.config({
      pools: { www: barePool(scene, spot, { chroot: scene.path("jail") }) },
    });
    const outcome = await scene.fcgivisor(["check", "-c", config]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("chroot");
    expect(outcome.stderr).toContain("bare.pl");
  },
);

behaviour("chdir, umask, nice and limits of a program", {}, async (scene) => {
  mkdirSync(scene.path("work"));
  const pid = await oneWorker(scene, {
    chdir: scene.path("work"),
    umask: "0027",
    nice: 5,
    rlimit_files: 321,
    rlimit_core: 4096,
  });
  expect(procLink(pid, "cwd")).toBe(scene.path("work"));
  expect(statusField(pid, "Umask")).toBe("0027");
  expect(niceOf(pid)).toBe(5);
  expect(softLimit(pid, "Max open files")).toBe("321");
  expect(softLimit(pid, "Max core file size")).toBe("4096");
});

forEachPhp("chdir and umask as PHP sees them", {}, async (scene, php) => {
  const script = scene.fixture("php/environment.php");
  const spot = await tcpSpot(scene);
  const extra = { umask: "0077", env: { PATH: "/usr/bin:/bin:/opt/bin" } };
  await scene.run({ pools: { www: php.pool(spot, extra) } });
  const seen = JSON.parse(await bodyOf(spot, { script })) as Record<string, unknown>;
  expect(seen).toMatchObject({ umask: 0o077, path: "/usr/bin:/bin:/opt/bin" });
  if (AM_ROOT) expect(seen).toMatchObject({ uid: 33, gid: 33 });
});

behaviour("the environment is clean but for what env says", {}, async (scene) => {
  const env = { A: "plain", FROM: "$FV_GIVEN", PRICE: "5$FV_GIVEN" };
  const given = { FV_GIVEN: "handed down", FV_SECRET: "hidden", BUN_OPTIONS: "--smol" };
  const pid = await oneWorker(scene, { env }, { env: given });
  const seen = environmentOf(pid);
  expect(seen).toMatchObject({ A: "plain", FROM: "handed down", PRICE: "5$FV_GIVEN" });
  const foreign = Object.keys(seen).filter((name) => /^(FV_|BUN_|FCGIVISOR)/.test(name));
  expect(foreign).toEqual(["FCGIVISOR_WORKER"]);
});

behaviour("clear_env = false hands the environment down, Bun's own aside", {}, async (scene) => {
  const given = { FV_GIVEN: "handed down", BUN_OPTIONS: "--smol" };
  const pid = await oneWorker(scene, { clear_env: false }, { env: given });
  expect(environmentOf(pid)["FV_GIVEN"]).toBe("handed down");
  const names = Object.keys(environmentOf(pid));
  expect(names.filter((name) => /^(BUN_|FCGIVISOR)/.test(name))).toEqual(["FCGIVISOR_WORKER"]);
});

behaviour("signals are at their defaults, whatever the supervisor was given", {}, async (scene) => {
  const unruly = `use POSIX; $SIG{$_} = "IGNORE" for qw(HUP USR2 TTIN WINCH);
    POSIX::sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1, SIGALRM)); exec @ARGV or die`;
  const pid = await oneWorker(scene, {}, { under: ["perl", "-e", unruly] });
  const perlsOwnFpe = 0x80n;
  expect(BigInt(`0x${statusField(pid, "SigBlk")}`)).toBe(0n);
  expect(BigInt(`0x${statusField(pid, "SigIgn")}`) & ~perlsOwnFpe).toBe(0n);
});

behaviour(
  "root workers are refused unless allow_root says so",
  { needs: ["root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = { ...barePool(scene, spot, { workers: 1 }), user: "root" };
    const config = scene.config({ pools: { www: pool } });
    for (const word of ["check", "start"]) {
      const outcome = await scene.fcgivisor([word, "-c", config]);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain("allow_root");
    }
    expect(workersAt(spot.where)).toEqual([]);
    await scene.run({ supervisor: { allow_root: true }, pools: { www: pool } });
    const [pid] = await workersReach(spot, 1);
    expect(statusField(pid!, "Uid").split("\t")[0]).toBe("0");
  },
);

behaviour(
  "a user that does not exist is named, and nothing starts",
  { needs: ["root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = barePool(scene, spot, { user: "nosuchperson" });
    const outcome = await scene.fcgivisor(["start", "-c", scene.config({ pools: { www: pool } })]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("nosuchperson");
    expect(listenersAt(spot.where)).toEqual([]);
  },
);

behaviour("without root, user is ignored with a warning", { needs: ["root"] }, async (scene) => {
  const spot = await tcpSpot(scene);
  const pools = { www: barePool(scene, spot, { workers: 1 }) };
  const binary = scene.path("fcgivisor");
  copyFileSync(BINARY, binary);
  chownSync(scene.dir, NOBODY, NOBODY);
  const supervisor = await scene.run({ pools }, { under: AS_NOBODY, binary });
  const [pid] = await workersReach(spot, 1);
  expect(statusField(pid!, "Uid").split("\t")[0]).toBe(`${NOBODY}`);
  await supervisor.logged('pool www: "user" is ignored, because only root can change it');
});

forEachPhp("two pools run as two users", { needs: ["root"] }, async (scene, php) => {
  const script = scene.fixture("php/environment.php");
  const one = await tcpSpot(scene);
  const two = await tcpSpot(scene);
  await scene.run({
    pools: { one: php.pool(one, { user: "www-data" }), two: php.pool(two, { user: "nobody" }) },
  });
  const uid = async (spot: Spot): Promise<number> =>
    (JSON.parse(await bodyOf(spot, { script })) as { uid: number }).uid;
  expect([await uid(one), await uid(two)]).toEqual([33, NOBODY]);
});

behaviour(
  "workers of single processes are numbered, and a replacement keeps the number",
  {},
  async (scene) => {
    const spot = unixSpot(scene);
    await scene.run({ pools: { www: barePool(scene, spot, { workers: 3 }) } });
    const numberOf = (pid: number) => environmentOf(pid)["FCGIVISOR_WORKER"];
    const first = await workersReach(spot, 3);
    expect(first.map(numberOf).toSorted()).toEqual(["0", "1", "2"]);
    const [killed, ...kept] = first as [number, number, number];
    const number = numberOf(killed);
    process.kill(killed, "SIGKILL");
    const [fresh] = await renewed(spot, { count: 1, old: first, kept });
    expect(numberOf(fresh!)).toBe(number);
  },
);

behaviour(
  "workers = auto is one for each processor there is",
  { needs: ["unshare"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const counted = async (workers: string) => {
      const config = scene.config({ pools: { www: barePool(scene, spot, { workers }) } });
      const words = [BINARY, "check", "--dump", "-c", config];
      const { stdout } = await scene.command(["taskset", "-c", "0", ...words]);
      return /^workers = (\d+)/m.exec(stdout)?.[1];
    };
    expect(await counted("auto")).toBe("1");
    expect(await counted("auto*4")).toBe("4");
    expect(await counted("auto*1.5")).toBe("2");
  },
);
