// A server of today, untouched: Debian's php-fpm.conf and its pool, with the machine's php-fpm out of
// the way.

import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fcgi } from "../helper/fcgi.ts";
import { nginx } from "../helper/nginx.ts";
import { unixSpot, workersReach } from "../helper/pool.ts";
import { alive } from "../helper/processes.ts";
import { BINARY, ready, textOf } from "../helper/program.ts";
import { AM_ROOT, behaviour, type Scene } from "../helper/scene.ts";

const FIXTURES = join(import.meta.dir, "../fixture/fpm");

/** Debian's folders below the scene's, with a php.ini and a module folder that tell themselves apart. */
function debian(scene: Scene, extra = "") {
  const text = (name: string) =>
    readFileSync(join(FIXTURES, name), "utf8").replaceAll("@ROOT@", scene.dir);
  for (const folder of ["run/php", "var/log"]) mkdirSync(scene.path(folder), { recursive: true });
  const fpm = "etc/php/8.2/fpm";
  const file = scene.write(`${fpm}/php-fpm.conf`, text("php-fpm.conf"));
  scene.write(`${fpm}/pool.d/www.conf`, `${text("www.conf")}${extra}`);
  scene.write(`${fpm}/php.ini`, "user_agent = the-php-ini-of-fpm\nprecision = 3\n");
  scene.write(`${fpm}/conf.d/10-module.ini`, "default_charset = from-conf-d\n");
  return {
    file,
    fpm: scene.path(fpm),
    spot: unixSpot(scene, "run/php/php8.2-fpm.sock"),
    socket: scene.path("run/php/php8.2-fpm.admin.sock"),
    log: (): string => textOf(scene.path("var/log/php8.2-fpm.log")),
  };
}

async function running(scene: Scene, server: ReturnType<typeof debian>) {
  const child = scene.spawn([BINARY, "run", "-c", server.file]);
  const log = (): string => child.stderr() + server.log();
  const supervisor = scene.follow(child.pid, server.file, server.socket, log);
  await ready(server.socket, () => alive(child.pid));
  return { child, supervisor };
}

behaviour(
  "Debian's php-fpm.conf serves PHP through nginx on the same socket path",
  { needs: ["php-cgi", "nginx"] },
  async (scene) => {
    const server = debian(scene);
    const { child, supervisor } = await running(scene, server);
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
  "workers get php-fpm's php.ini, its modules, the pool's php_value and env",
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
    await running(scene, server);
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
      loaded: join(server.fpm, "php.ini"),
      scanned: join(server.fpm, "conf.d/10-module.ini"),
    });
  },
);
