// A server of today, untouched: Debian's php-fpm.conf and its pool, with the machine's php-fpm out of
// the way.

import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fcgi } from "../helper/fcgi.ts";
import { type DebianFpm, debianFpm, runDebianFpm } from "../helper/debian-fpm.ts";
import { nginx } from "../helper/nginx.ts";
import { unixSpot, workersReach } from "../helper/pool.ts";
import { phpFpmProgram } from "../helper/packages.ts";
import { alive } from "../helper/processes.ts";
import { BINARY, ready, textOf } from "../helper/program.ts";
import { AM_ROOT, behaviour, type Scene } from "../helper/scene.ts";

/** With a php.ini and a module folder that tell themselves apart. */
function debian(scene: Scene, extra = ""): DebianFpm {
  const server = debianFpm(scene, extra);
  scene.write(`${server.folder}/php.ini`, "user_agent = the-php-ini-of-fpm\nprecision = 3\n");
  scene.write(`${server.folder}/conf.d/10-module.ini`, "default_charset = from-conf-d\n");
  return server;
}

/** What the pools of such a config can run on. */
const PHPS = [
  { needs: ["php-cgi"], php: () => "php-cgi" },
  { needs: ["php-fpm"], php: () => phpFpmProgram()! },
] as const;

function running(scene: Scene, server: DebianFpm, php: string) {
  return runDebianFpm(scene, server, ["--php", php]);
}

for (const { needs, php } of PHPS)
  behaviour(
    `Debian's php-fpm.conf serves PHP through nginx on the same socket path, by ${needs[0]}`,
    { needs: [...needs, "nginx"] },
    async (scene) => {
      const server = debian(scene);
      const { child, supervisor } = await running(scene, server, php());
      scene.fixture("php/hello.php");
      const front = await nginx(scene, { to: server.spot.where, root: scene.path("www/php") });
      expect(await front.get("/hello.php?name=Debian")).toEqual({
        status: 200,
        body: "hello Debian",
      });
      expect(statSync(server.spot.listen).mode & 0o777).toBe(0o660);
      expect(Number(textOf(scene.path("run/php/php8.2-fpm.pid")))).toBe(child.pid);
      expect((await supervisor.control("reload")).code).toBe(0);
      expect((await front.get("/hello.php")).body).toBe("hello world");
      expect((await supervisor.control("quit")).code).toBe(0);
      await supervisor.gone();
      expect(existsSync(scene.path("run/php/php8.2-fpm.pid"))).toBe(false);
    },
  );

behaviour(
  "php-cgi gets php-fpm's php.ini, its modules, the pool's php_value and env",
  { needs: ["php-cgi"] },
  async (scene) => {
    const server = debian(
      scene,
      `pm = static
pm.max_children = 1
env[HOSTNAME] = $HOSTNAME
env[POOL] = "the pool $pool; of Debian's"
php_value[precision] = 9
php_value[error_reporting] = E_ALL & ~E_NOTICE
php_flag[display_errors] = on
php_admin_value[sendmail_path] = /usr/sbin/sendmail -t -i -f "it's@example.com"
php_admin_flag[log_errors] = off
`,
    );
    await running(scene, server, "php-cgi");
    await workersReach(server.spot, 1);
    const ini = "user_agent,default_charset,precision,error_reporting,display_errors,log_errors";
    const answer = await fcgi(server.spot.where, {
      script: scene.fixture("php/settings.php"),
      query: `ini=${ini},sendmail_path&env=POOL,HOSTNAME,USER`,
    });
    expect(JSON.parse(answer.body)).toEqual({
      ini: {
        user_agent: "the-php-ini-of-fpm",
        default_charset: "from-conf-d",
        precision: "9",
        error_reporting: "32759",
        display_errors: "1",
        log_errors: "0",
        sendmail_path: "/usr/sbin/sendmail -t -i -fit's@example.com",
      },
      env: {
        POOL: "the pool www; of Debian's",
        HOSTNAME: "",
        USER: AM_ROOT ? "www-data" : expect.any(String),
      },
      loaded: join(server.folder, "php.ini"),
      scanned: join(server.folder, "conf.d/10-module.ini"),
    });
  },
);

/** The binary under the name of Debian's php-fpm, with no config of the machine's in its reach. */
function phpFpm(scene: Scene) {
  const link = scene.path("usr/sbin/php-fpm");
  mkdirSync(scene.path("usr/sbin"), { recursive: true });
  symlinkSync(BINARY, link);
  return (...words: string[]) => scene.command([link, ...words]);
}

behaviour(
  "php-fpm -t and -tt tell whether the config is sound, with php-fpm's exit codes",
  { needs: ["php-cgi"] },
  async (scene) => {
    const server = debian(scene);
    const call = phpFpm(scene);
    const sound = await call("-t", "-y", server.file);
    expect(sound).toMatchObject({ code: 0, stdout: "" });
    expect(sound.stderr).toMatch(/^\[\d\d-\w{3}-\d{4} [\d:]{8}\] NOTICE: .* test is successful$/m);
    const dumped = await call("-tt", `-y${server.file}`, "-p", scene.dir);
    expect(dumped.stderr).toContain('listen.owner = "www-data"');

    const wrong = scene.write("wrong.conf", "[www]\nlisten = /a.sock\npm = sttaic\n");
    const refused = await call("--test", `--fpm-config=${wrong}`);
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain(`${wrong}:3:1: pm: expected one of`);
    expect((await call("-y", wrong, "-F")).code).toBe(78);
    for (const words of [["-x"], ["-y"], ["-t", "more"], ["--daemonize=yes"]]) {
      const usage = await call(...words);
      expect(usage.code).toBe(64);
      expect(usage.stderr).toContain("Usage: ");
    }
    expect(await call("-h")).toMatchObject({ code: 0, stderr: "" });
    expect((await call("-v")).stdout).toContain("fcgivisor");
  },
);

behaviour(
  "php-fpm -D stays in the background, -F in front; -g, -c and -O do what they say; a taken address is 70",
  { needs: ["php-cgi"] },
  async (scene) => {
    const server = debian(scene, "pm = static\npm.max_children = 1\n");
    const call = phpFpm(scene);
    const ini = scene.write("other/php.ini", "user_agent = the-ini-of-c\n");
    const pidFile = scene.path("run/other.pid");
    const start = await call("-D", "-y", server.file, "-g", pidFile, "-c", ini);
    expect(start.code, start.stderr).toBe(0);
    const pid = Number(textOf(pidFile));
    const supervisor = scene.follow(pid, server.file, server.socket, server.log);
    const script = scene.fixture("php/settings.php");
    const answer = await fcgi(server.spot.where, { script, query: "ini=user_agent&env=A" });
    expect(JSON.parse(answer.body)).toMatchObject({ ini: { user_agent: "the-ini-of-c" } });

    const second = scene.write(
      "second.conf",
      `[global]\nerror_log = ${scene.path("second.log")}\npid = ${scene.path("run/second.pid")}
${readFileSync(join(server.folder, "pool.d/www.conf"), "utf8")}`,
    );
    const taken = await call("-F", "-O", "-y", second);
    expect(taken.code).toBe(70);
    expect(taken.stderr).toContain(server.spot.listen);
    expect(existsSync(scene.path("second.log"))).toBe(false);

    expect((await supervisor.control("stop")).code).toBe(0);
    await supervisor.gone();
    const front = scene.spawn([scene.path("usr/sbin/php-fpm"), "-F", "-y", server.file]);
    scene.follow(front.pid, server.file, server.socket, () => front.stderr() + server.log());
    await ready(server.socket, () => alive(front.pid));
    expect(Number(textOf(scene.path("run/php/php8.2-fpm.pid")))).toBe(front.pid);
    front.kill("SIGQUIT");
    expect(await front.exited).toBe(0);
  },
);

behaviour(
  "called as php-fpm8.2 it runs a config on the php-fpm of that name, wherever the config stands",
  { needs: ["php-fpm"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const user = AM_ROOT ? "user = www-data\n" : "";
    const pool = `[www]\n${user}listen = ${spot.listen}\npm = static\npm.max_children = 1\n`;
    const file = scene.write("any.conf", `[global]\npid = ${scene.path("p.pid")}\n${pool}`);
    mkdirSync(scene.path("sbin"));
    const link = scene.path("sbin/php-fpm8.2");
    symlinkSync(BINARY, link);
    // The link comes first, as where it has taken the place of the program.
    const path = [scene.path("sbin"), dirname(phpFpmProgram()!), process.env["PATH"]].join(":");
    const dumped = await scene.command([link, "-tt", "-y", file], { env: { PATH: path } });
    expect(dumped.stderr).toContain(`command = ["${phpFpmProgram()!}"]`);
    expect(dumped.stderr).toContain('runtime = "php-fpm"');
    const start = await scene.command([link, "-D", "-y", file], { env: { PATH: path } });
    expect(start.code, start.stderr).toBe(0);
    const socket = scene.path("p.admin.sock");
    scene.follow(Number(textOf(scene.path("p.pid"))), file, socket, () => "");
    const script = scene.write("www/sapi.php", "<?php echo PHP_SAPI;");
    expect((await fcgi(spot.where, { script })).body).toBe("fpm-fcgi");
  },
);

behaviour(
  "php-fpm -R lets pools run as root, and without it they may not",
  { needs: ["root", "php-cgi"] },
  async (scene) => {
    const server = debian(scene, "user = root\ngroup = root\n");
    const call = phpFpm(scene);
    const refused = await call("-t", "-y", server.file);
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain("run as root");
    expect((await call("-t", "-R", "-y", server.file)).code).toBe(0);
  },
);

behaviour(
  "a php-fpm file of pools alone, as panels write it, starts in front and in the background",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const user = AM_ROOT ? "user = www-data\n" : "";
    const pool = `[site]\n${user}listen = ${spot.listen}\npm = static\npm.max_children = 1\n`;
    const alone = scene.write("conf/site.conf", pool);
    const checked = await scene.fcgivisor(["check", "-c", alone]);
    expect(checked).toMatchObject({ code: 0, stderr: expect.not.stringContaining("log") });
    // With a pid file, so that nothing of it is outside the test's folder.
    const file = scene.write("conf/php-fpm.conf", `pid = ${scene.path("p.pid")}\n${pool}`);
    const words = ["-c", file, "--quiet"];
    expect(await scene.fcgivisor(["start", ...words])).toMatchObject({ stderr: "", code: 0 });
    const answer = await fcgi(spot.where, { script: scene.fixture("php/hello.php") });
    expect(answer.body).toBe("hello world");
    expect(textOf(scene.path("p.state/fcgivisor.log"))).toContain("fcgivisor is ready");
    expect((await scene.fcgivisor(["stop", ...words])).code).toBe(0);
  },
);

behaviour(
  "what a killed supervisor of a php-fpm file left is found and ended by --socket alone",
  { needs: ["php-cgi"] },
  async (scene) => {
    const server = debian(scene, "pm = static\npm.max_children = 2\n");
    const { supervisor } = await running(scene, server, "php-cgi");
    const workers = await workersReach(server.spot, 2);
    supervisor.signal("SIGKILL");
    await supervisor.gone();
    const call = (word: string) => scene.fcgivisor([word, "--socket", server.socket]);
    const status = await call("status");
    expect(status.code).toBe(3);
    expect(status.stderr).toContain("left-over processes still serve");
    expect(await call("quit")).toMatchObject({ code: 0 });
    expect(workers.filter(alive)).toEqual([]);
  },
);
