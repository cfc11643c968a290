// A server of 2008, untouched: the XML file that php-fpm 0.5.10 shipped, and a link named php-fpm.

import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { holdPhp } from "../helper/gate.ts";
import { nginx } from "../helper/nginx.ts";
import { tcpSpot, workersReach, type Spot } from "../helper/pool.ts";
import { alive, environmentOf, softLimit } from "../helper/processes.ts";
import { fcgi } from "../helper/fcgi.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { AM_ROOT, behaviour, type Scene } from "../helper/scene.ts";
import { waitsOnlyFor } from "../helper/status.ts";
import { fateOf } from "../helper/tcp.ts";

const TEMPLATE = join(import.meta.dir, "../fixture/legacy/official-0.5.10.xml");
const NEEDS = { needs: ["php-cgi", "nginx"] } as const;

/** The shipped file with its build-time placeholders filled in, and a user as its reader had to set. */
function filled(spot: Spot): string {
  const user = '<value name="user">www-data</value>';
  return readFileSync(TEMPLATE, "utf8")
    .replace("@php_fpm_pid_path@", "logs/php-fpm.pid")
    .replace("@php_fpm_log_path@", "logs/php-fpm.log")
    .replace("127.0.0.1:9000", spot.listen)
    .replace('<!--	<value name="user">nobody</value>				-->', AM_ROOT ? user : "");
}

/** PREFIX/etc/php-fpm.conf, PREFIX/logs, PREFIX/sbin/php-fpm; resolves with how to call the link. */
function oldServer(scene: Scene, config: string) {
  const prefix = scene.path("usr/local/php");
  for (const name of ["etc", "logs", "sbin"]) mkdirSync(join(prefix, name), { recursive: true });
  const file = scene.write(join(prefix, "etc/php-fpm.conf"), config);
  const link = join(prefix, "sbin/php-fpm");
  symlinkSync(BINARY, link);
  const log = (): string => textOf(join(prefix, "logs/php-fpm.log"));
  return {
    prefix,
    log,
    phpFpm: (...words: string[]) => scene.command([link, ...words]),
    pid: (): number => Number(textOf(join(prefix, "logs/php-fpm.pid"))),
    follow: (pid: number) => scene.follow(pid, file, join(prefix, "logs/php-fpm.sock"), log),
  };
}

behaviour(
  "the shipped 0.5.10 file serves PHP through nginx, led by the link php-fpm",
  NEEDS,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const server = oldServer(scene, filled(spot));
    scene.fixture("php/hello.php");

    const start = await server.phpFpm("start");
    expect(start).toMatchObject({ code: 0, stderr: "" });
    expect(start.stdout).toMatch(/^Starting php_fpm \.* done\n$/);
    const pid = server.pid();
    server.follow(pid);
    expect(alive(pid)).toBe(true);

    const front = await nginx(scene, { to: spot.where, root: scene.path("www/php") });
    expect(await front.get("/hello.php?name=2008")).toEqual({ status: 200, body: "hello 2008" });
    const workers = await workersReach(spot, 5);
    expect(environmentOf(workers[0]!)).toMatchObject({
      PATH: "/usr/local/bin:/usr/bin:/bin",
      TMP: "/tmp",
      MALLOC_CHECK_: "2",
      ...(AM_ROOT ? { USER: "www-data", HOME: "/var/www" } : {}),
    });
    expect(softLimit(workers[0]!, "Max open files")).toBe("1024");
    expect(await fateOf(spot, "127.0.0.1")).toBe("let in");
    expect(await fateOf(spot, "127.0.0.2")).toBe("turned away");

    expect(await server.phpFpm("start")).toMatchObject({ code: 0 });
    expect(server.pid()).toBe(pid);
    expect(await server.phpFpm("reload")).toMatchObject({
      code: 0,
      stdout: "Reload service php-fpm  done\n",
    });
    const after = await workersReach(spot, 5);
    expect(after.some((worker) => workers.includes(worker))).toBe(false);
    expect(await server.phpFpm("logrotate")).toMatchObject({
      code: 0,
      stdout: "Re-opening php-fpm log file  done\n",
    });
    const restart = await server.phpFpm("restart");
    expect(restart, restart.stderr).toMatchObject({ code: 0 });
    expect(restart.stdout).toMatch(/^Shutting down php_fpm \.* done\nStarting php_fpm \.* done\n$/);
    expect((await front.get("/hello.php")).body).toBe("hello world");
    const last = server.pid();
    const quit = await server.phpFpm("quit");
    expect(quit, quit.stderr).toMatchObject({ code: 0 });
    expect(quit.stdout).toMatch(/^Gracefully shutting down php_fpm \.* done\n$/);
    expect(alive(last)).toBe(false);
    expect(existsSync(join(server.prefix, "logs/php-fpm.pid"))).toBe(false);
  },
);

behaviour(
  "php-fpm quit lets the request in flight finish; stop does not wait for it",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const timeout = '<value name="process_control_timeout">';
    const config = filled(spot).replace(`${timeout}5s`, `${timeout}10m`);
    expect(config).not.toBe(filled(spot));
    const server = oldServer(scene, config);
    const begin = async () => {
      expect(await server.phpFpm("start")).toMatchObject({ code: 0 });
      const supervisor = server.follow(server.pid());
      await workersReach(spot, 5);
      return { supervisor, held: await holdPhp(scene, spot) };
    };

    const finishes = await begin();
    const quit = server.phpFpm("quit");
    expect(await workersReach(spot, 1)).toEqual([finishes.held.worker]);
    await waitsOnlyFor(finishes.held, finishes.supervisor, quit);

    const cut = await begin();
    expect(await server.phpFpm("stop")).toMatchObject({ code: 0 });
    await expect(cut.held.answer).rejects.toThrow();
  },
);

behaviour(
  "php-fpm without a command, or with a wrong one, prints the old usage line",
  {},
  async (scene) => {
    const server = oldServer(scene, filled(await tcpSpot(scene)));
    for (const words of [[], ["fly"]]) {
      const outcome = await server.phpFpm(...words);
      expect(outcome.stdout + outcome.stderr).toContain(
        "php-fpm {start|stop|quit|restart|reload|logrotate}",
      );
      expect(outcome.code).toBe(1);
    }
  },
);

behaviour("php-fpm commands without a daemon say that none is running", {}, async (scene) => {
  const server = oldServer(scene, filled(await tcpSpot(scene)));
  for (const word of ["stop", "quit", "reload", "logrotate"]) {
    const outcome = await server.phpFpm(word);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout + outcome.stderr).toContain("not running");
  }
});

behaviour(
  "a start that fails prints failed, the reason, and leaves nothing",
  { needs: ["root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const server = oldServer(scene, filled(spot).replace("www-data", "nosuchperson"));
    const outcome = await server.phpFpm("start");
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toMatch(/^Starting php_fpm \.* failed\n$/);
    expect(outcome.stderr).toContain("nosuchperson");
    expect(existsSync(join(server.prefix, "logs/php-fpm.pid"))).toBe(false);
  },
);

behaviour(
  "the same file under fcgivisor -c, and two servers side by side",
  { needs: ["php-cgi"] },
  async (scene) => {
    const one = await tcpSpot(scene);
    const two = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    for (const [name, spot] of [
      ["one", one],
      ["two", two],
    ] as const) {
      mkdirSync(scene.path(name, "logs"), { recursive: true });
      const config = scene.write(`${name}/any.name`, filled(spot));
      const prefix = scene.path(name);
      const start = await scene.fcgivisor(["start", "-c", config, "--prefix", prefix]);
      expect(start).toMatchObject({ code: 0 });
      const pid = Number(textOf(scene.path(name, "logs/php-fpm.pid")));
      scene.follow(pid, config, scene.path(name, "logs/php-fpm.sock"), () =>
        textOf(scene.path(name, "logs/php-fpm.log")),
      );
      expect((await fcgi(spot.where, { script })).body).toBe("hello world");
    }
    const stop = ["stop", "-c", scene.path("one/any.name")];
    expect(await scene.fcgivisor(stop)).toMatchObject({ code: 0 });
    expect((await fcgi(two.where, { script })).body).toBe("hello world");
  },
);
