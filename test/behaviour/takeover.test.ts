// Taking the place of a php-fpm that serves: on its very sockets, without a request lost, by hand and as a
// service of systemd.

import { expect } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { holdPhp } from "../helper/gate.ts";
import { phpFpmProgram } from "../helper/packages.ts";
import { NO_HURRY, type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { alive, listenersAt } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { systemd } from "../helper/systemd.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP_FPM = { needs: ["php-fpm", "root"] } as const;

/** The config of a php-fpm with these pools. */
function fpmConf(scene: Scene, spots: Readonly<Record<string, Spot>>): string {
  const pools = Object.entries(spots).map(
    ([name, { listen }]) => `[${name}]
user = www-data
listen = ${listen}
pm = static
pm.max_children = 2
`,
  );
  const global = `[global]
pid = ${scene.path("fpm.pid")}
error_log = ${scene.path("fpm.log")}
`;
  return scene.write("fpm/php-fpm.conf", `${global}${pools.join("")}`);
}

/** Starts php-fpm itself, as an init script would; resolves with the pid of its master. */
async function phpFpm(scene: Scene, conf: string): Promise<number> {
  const outcome = await scene.command([phpFpmProgram()!, "-n", "-D", "-y", conf]);
  expect(outcome.code, outcome.stderr).toBe(0);
  const pid = await eventually(() => Number(textOf(scene.path("fpm.pid"))) || null, {
    what: "php-fpm's pid file",
  });
  scene.atEnd(() => {
    if (alive(pid)) process.kill(pid, "SIGTERM");
  });
  return pid;
}

const pool = ({ listen }: Spot) => ({
  ...NO_HURRY,
  listen,
  workers: 2,
  command: [phpFpmProgram()!],
});

behaviour(
  "start --takeover takes the place of a php-fpm: its sockets, no request lost, and its requests finish",
  PHP_FPM,
  async (scene) => {
    const [tcp, unix] = [await tcpSpot(scene), unixSpot(scene)];
    const master = await phpFpm(scene, fpmConf(scene, { tcp, unix }));
    const script = scene.fixture("php/hello.php");
    const inodes = [listenersAt(tcp.where), listenersAt(unix.where)];
    const file = statSync(unix.listen).ino;
    const held = await holdPhp(scene, unix);
    await underLoad(tcp, { script }, async () => {
      await underLoad(unix, { script }, async ({ further }) => {
        const config = scene.daemonConfig({ pools: { tcp: pool(tcp), unix: pool(unix) } });
        const refused = await scene.fcgivisor(["start", "-c", config]);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toContain(`process ${master}`);
        expect(refused.stderr).toContain("--takeover");
        expect(alive(master)).toBe(true);
        const start = await scene.fcgivisor(["start", "--takeover", "-c", config]);
        expect([start.stderr, start.code]).toEqual(["", 0]);
        expect(start.stdout).toContain(`taken over from php-fpm, process ${master}`);
        scene.followDaemon(config);
        await eventually(() => !alive(master), { what: "the master of php-fpm is gone" });
        expect(alive(held.worker)).toBe(true);
        await further(5);
      });
    });
    expect([listenersAt(tcp.where), listenersAt(unix.where)]).toEqual(inodes);
    expect(statSync(unix.listen).ino).toBe(file);
    await held.finish();
    await eventually(() => !alive(held.worker), { what: "its last worker has left" });
  },
);

behaviour(
  "a master without workers, as of pm = ondemand, takes no socket's file along",
  PHP_FPM,
  async (scene) => {
    const spot = unixSpot(scene);
    const conf = fpmConf(scene, { www: spot });
    scene.write(conf, textOf(conf).replace("pm = static", "pm = ondemand"));
    const master = await phpFpm(scene, conf);
    const file = statSync(spot.listen).ino;
    const config = scene.daemonConfig({ pools: { www: pool(spot) } });
    const start = await scene.fcgivisor(["start", "--takeover", "-c", config]);
    expect([start.stderr, start.code]).toEqual(["", 0]);
    const supervisor = scene.followDaemon(config);
    await eventually(() => !alive(master), { what: "the master of php-fpm is gone" });
    await supervisor.logged("left-over process");
    expect(statSync(spot.listen).ino).toBe(file);
    const script = scene.fixture("php/hello.php");
    expect((await fcgi(spot.where, { script })).body).toBe("hello world");
  },
);

behaviour(
  "php-fpm's own file will do; when the new workers do not come up, it serves on as before",
  PHP_FPM,
  async (scene) => {
    const spot = unixSpot(scene);
    const conf = fpmConf(scene, { www: spot });
    const master = await phpFpm(scene, conf);
    const script = scene.fixture("php/hello.php");
    await underLoad(spot, { script }, async ({ further }) => {
      const takeOver = ["start", "--takeover", "-c", conf, "--php", phpFpmProgram()!];
      const text = textOf(conf);
      scene.write(conf, `${text}chdir = ${scene.path("nowhere")}\n`);
      const failed = await scene.fcgivisor(takeOver);
      expect(failed.code).toBe(1);
      expect(failed.stderr).toContain("nowhere is not a directory");
      expect(alive(master)).toBe(true);
      await further(5);
      scene.write(conf, text);
      const start = await scene.fcgivisor(takeOver);
      expect([start.stderr, start.code]).toEqual(["", 0]);
      const pid = Number(textOf(scene.path("fpm.pid")));
      const log = () => textOf(scene.path("fpm.log"));
      scene.follow(pid, conf, scene.path("fpm.admin.sock"), log);
      expect(pid).not.toBe(master);
      await eventually(() => !alive(master), { what: "the master of php-fpm is gone" });
    });
  },
);

behaviour(
  "a php-fpm that serves on more than the config is for is left as it is",
  PHP_FPM,
  async (scene) => {
    const [www, other] = [await tcpSpot(scene), unixSpot(scene, "other.sock")];
    const master = await phpFpm(scene, fpmConf(scene, { www, other }));
    const config = scene.daemonConfig({ pools: { www: pool(www) } });
    const start = await scene.fcgivisor(["start", "--takeover", "-c", config]);
    expect(start.code).toBe(1);
    expect(start.stderr).toContain(`process ${master} (php-fpm) also serves on ${other.listen}`);
    const script = scene.fixture("php/hello.php");
    for (const spot of [www, other])
      expect((await fcgi(spot.where, { script })).body).toBe("hello world");
    expect(alive(master)).toBe(true);
    expect(existsSync(scene.path("run/fcgivisor.pid"))).toBe(false);
  },
);

behaviour(
  "as a service of systemd its workers finish all the same, and the unit to disable is named",
  { needs: ["php-fpm", "root", "systemd", "a systemd that can run"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const conf = fpmConf(scene, { www: spot });
    const manager = await systemd(scene);
    const unit = "php8.2-fpm.service";
    await manager.unit(
      unit,
      `[Service]\nType=notify\nExecStart=${phpFpmProgram()!} -n --nodaemonize -y ${conf}\n`,
    );
    expect((await manager.ctl("start", unit)).code).toBe(0);
    const script = scene.fixture("php/hello.php");
    const held = await holdPhp(scene, spot);
    const config = scene.daemonConfig({ pools: { www: pool(spot) } });
    await underLoad(spot, { script }, async () => {
      const start = await manager.inside(BINARY, "start", "--takeover", "-c", config);
      scene.atEnd(async () => void (await manager.inside(BINARY, "stop", "-c", config)));
      expect([start.stderr, start.code]).toEqual(["", 0]);
      expect(start.stdout).toContain(`systemctl disable ${unit}`);
      const state = async () => (await manager.show(unit, "ActiveState")) === "failed";
      await eventually(state, { what: "systemd has seen that the unit is over" });
    });
    held.open();
    expect((await held.answer).body).toContain("waited");
    expect(textOf(scene.path("fcgivisor.log"))).toContain(`systemctl disable ${unit}`);
  },
);
