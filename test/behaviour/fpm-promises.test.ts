// What php-fpm promises of a pool, kept by a pool that runs on php-fpm under the supervisor, from php-fpm's own
// file: each row is what stands in the pool, what is asked, and what must come out. php-src's sapi/fpm/tests
// have tried the same of php-fpm alone.

import { expect } from "bun:test";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { fcgi, type FcgiRequest, type FcgiResponse, Lost } from "../helper/fcgi.ts";
import { gate } from "../helper/gate.ts";
import { phpFpmProgram } from "../helper/packages.ts";
import { type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { alive, leadersAt } from "../helper/processes.ts";
import { BINARY, ready, type Supervisor, textOf } from "../helper/program.ts";
import { behaviour, type Need, type Scene } from "../helper/scene.ts";
import { fateOf } from "../helper/tcp.ts";
import { eventually } from "../helper/wait.ts";

interface Stage {
  readonly scene: Scene;
  readonly spot: Spot;
  readonly supervisor: Supervisor;
  readonly script: string;
  readonly answer: FcgiResponse;
  /** Sends the row's request, changed by this. */
  readonly ask: (changed?: FcgiRequest) => Promise<FcgiResponse>;
}

interface Row {
  readonly what: string;
  /** On TCP; a Unix socket unless said. */
  readonly tcp?: true;
  readonly needs?: readonly Need[];
  /** Lines of the pool; DIR is the scene's folder. */
  readonly pool?: string;
  /** Sections behind the pool. */
  readonly more?: string;
  /** The script behind `<?php`. */
  readonly php?: string;
  /** Its name below DIR/www. */
  readonly file?: string;
  readonly request?: FcgiRequest;
  /** Of the answer; 200 unless said. */
  readonly status?: number;
  readonly body?: string | RegExp;
  /** A line of the access log. */
  readonly access?: RegExp;
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: (scene: Scene) => void;
  readonly also?: (stage: Stage) => Promise<void>;
}

const format = (text: string) => `access.format = "${text.replaceAll('"', '\\"')}"`;
const INI = (name: string) => `echo ini_get("${name}");`;
const say = (name: string) => `echo getenv("${name}");`;
const WWW_DATA = 33;

const ACCESS: readonly Row[] = [
  {
    what: "access.log without a format: who, when, what, and the status",
    tcp: true,
    access: /^127\.0\.0\.1 -  \d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000 "GET \/test\.php" 200$/,
  },
  { what: "%R is nobody on a Unix socket", pool: format("%R"), access: /^-$/ },
  { what: "%m is the method", pool: format("%m"), request: { method: "POST" }, access: /^POST$/ },
  {
    what: "%r%Q%q are path, question mark and query",
    pool: format("%r%Q%q"),
    request: { query: "a=1&b=2" },
    access: /^\/test\.php\?a=1&b=2$/,
  },
  { what: "%Q is nothing without a query", pool: format("%r%Q%q|"), access: /^\/test\.php\|$/ },
  {
    what: "%s is the status of the script",
    php: "http_response_code(418);",
    pool: format("%s"),
    status: 418,
    access: /^418$/,
  },
  { what: "%f is the script's file", pool: format("%f"), access: /\/www\/test\.php$/ },
  {
    what: "%l is the length of the request's body",
    pool: format("%l"),
    request: { method: "POST", body: "0123456789" },
    access: /^10$/,
  },
  { what: "%n is the pool's name", pool: format("%n $pool"), access: /^www www$/ },
  {
    what: "%p is the worker's pid, %P its master's",
    pool: format("%p %P"),
    php: "echo getmypid();",
    access: /^\d+ \d+$/,
    also: async ({ scene, spot, answer }) => {
      const line = textOf(scene.path("access.log")).trim();
      expect(line).toBe(`${answer.body} ${leadersAt(spot.where)[0]}`);
    },
  },
  {
    what: "%u is who has logged in",
    pool: format("%u"),
    request: { params: { REMOTE_USER: "ann", HTTP_AUTHORIZATION: "Basic YW5uOnB3" } },
    access: /^ann$/,
  },
  {
    what: "%{NAME}e is a parameter of the web server",
    pool: format("%{REQUEST_METHOD}e %{QUERY_STRING}e"),
    request: { query: "x" },
    access: /^GET x$/,
  },
  {
    what: "%{NAME}o is a header of the answer",
    php: 'header("X-Test: seen");',
    pool: format("%{X-Test}o"),
    access: /^seen$/,
  },
  {
    what: "%d is how long it took, in seconds, milli- and microseconds",
    pool: format("%d %{mili}d %{micro}d"),
    access: /^\d+\.\d{3} \d+\.\d{3} \d+$/,
  },
  {
    what: "%M is the memory, in bytes and larger units",
    pool: format("%M %{kilo}M %{mega}M"),
    access: /^\d{6,} \d{3,} \d+$/,
  },
  {
    what: "%C is the CPU time",
    pool: format("%C %{user}C %{system}C"),
    access: /^[\d.]+ [\d.]+ [\d.]+$/,
  },
  {
    what: "%{FORMAT}t is the time in a form of one's own",
    pool: format("%{%Y-%m}t %{%S}T"),
    access: /^\d{4}-\d\d \d\d$/,
  },
  { what: "%% is a percent sign", pool: format("100%%"), access: /^100%$/ },
  {
    what: "access.suppress_path keeps a path out of the log",
    pool: `access.log = DIR/access.log\n${format("%r")}\naccess.suppress_path[] = /quiet\naccess.suppress_path[] = /hush`,
    request: { params: { SCRIPT_NAME: "/quiet", REQUEST_URI: "/quiet" } },
    also: async ({ scene, ask }) => {
      await ask({ params: {} });
      await logged(scene, /^\/test\.php$/);
      expect(textOf(scene.path("access.log"))).not.toContain("quiet");
    },
  },
];

const PAGES: readonly Row[] = [
  page("ping.path answers pong", "ping.path = /ping", "/ping", /^pong$/),
  page("ping.response says what", "ping.path = /p\nping.response = alive", "/p", /^alive$/),
  page(
    "pm.status_path tells of the pool",
    "",
    "/status",
    /^pool: +www\nprocess manager: +static\n/,
  ),
  page("?json is JSON", "", "/status?json", /^\{"pool":"www",.*"total processes":1/),
  page("?xml is XML", "", "/status?xml", /^<\?xml version="1\.0" \?>\n<status>\n<pool>www<\/pool>/),
  page("?html is HTML", "", "/status?html", /<title>PHP-FPM Status Page<\/title>/),
  page(
    "?openmetrics is for Prometheus",
    "",
    "/status?openmetrics",
    /^# HELP phpfpm_up[^]*\nphpfpm_up 1\n/,
  ),
  page("?full tells of each worker", "", "/status?full", /\npid: +\d+\nstate: +Running\n/),
  {
    ...page("?full&json is JSON whatever was asked for", "", "/status?full&json", /^\{/),
    also: async ({ ask, answer }) => {
      await ask({ params: { REQUEST_URI: '/"\x01\xff</script>' } });
      for (const { body } of [answer, await ask(statusRequest("/status?full&json"))])
        expect(JSON.parse(body)).toMatchObject({ pool: "www", processes: [{ state: "Running" }] });
    },
  },
  {
    ...page("a status page is no script, and no script is a status page", "", "/status", /^pool/),
    also: async ({ ask, script }) => {
      const asked = await ask({ script, query: "", params: {} });
      expect(asked.body).toBe("ok");
    },
  },
];

function statusRequest(path: string): FcgiRequest {
  const [name = "", query = ""] = path.split("?");
  const params = { SCRIPT_NAME: name, REQUEST_URI: path };
  return { script: name, query, params };
}

function page(what: string, pool: string, path: string, body: RegExp): Row {
  return { what, pool: `pm.status_path = /status\n${pool}`, request: statusRequest(path), body };
}

const VALUES: readonly Row[] = [
  {
    what: "php_value is the script's",
    pool: "php_value[precision] = 3",
    php: INI("precision"),
    body: "3",
  },
  {
    what: "php_value can be changed by the script",
    pool: "php_value[precision] = 3",
    php: 'ini_set("precision", 9); echo ini_get("precision");',
    body: "9",
  },
  {
    what: "php_admin_value cannot",
    pool: "php_admin_value[precision] = 3",
    php: 'echo json_encode(ini_set("precision", 9)), ini_get("precision");',
    body: "false3",
  },
  {
    what: "php_admin_value wins over php_value, whichever comes first",
    pool: "php_admin_value[precision] = 3\nphp_value[precision] = 5",
    php: INI("precision"),
    body: "3",
  },
  {
    what: "php_flag and php_admin_flag are on and off",
    pool: "php_flag[html_errors] = on\nphp_admin_flag[log_errors] = off",
    php: 'echo ini_get("html_errors"), "|", ini_get("log_errors");',
    body: /^1\|0?$/,
  },
  {
    what: "php_admin_value[disable_functions] takes functions away",
    pool: "php_admin_value[disable_functions] = phpversion",
    php: 'echo function_exists("phpversion") ? "there" : "gone";',
    body: "gone",
  },
  {
    what: "PHP_VALUE of the web server wins over php_value",
    php: INI("precision"),
    pool: "php_value[precision] = 4",
    request: { params: { PHP_VALUE: "precision=7" } },
    body: "7",
  },
  {
    what: "a .user.ini changes php_value and what the pool leaves open, and no php_admin_value",
    pool: "php_value[precision] = 3\nphp_admin_value[user_agent] = admin",
    prepare: (scene) =>
      scene.write("www/.user.ini", "precision = 8\nuser_agent = mine\ndefault_charset = own\n"),
    php: 'echo ini_get("precision"), ini_get("user_agent"), ini_get("default_charset");',
    request: { params: { DOCUMENT_ROOT: "/" } },
    body: "8adminown",
  },
  {
    what: "php_admin_value[error_log] is where error_log() writes",
    pool: "php_admin_value[error_log] = DIR/php.log\nphp_admin_flag[log_errors] = on",
    prepare: (scene) => scene.write("php.log", "", 0o666),
    php: 'error_log("a word"); echo "done";',
    body: "done",
    also: async ({ scene }) => expect(textOf(scene.path("php.log"))).toMatch(/\] a word\n$/),
  },
  {
    what: "a value with quotes, a semicolon, an equals sign and a dollar sign arrives as it is",
    pool: `php_value[user_agent] = "it's; a=\\"b\\" 100% \\$HOME"`,
    php: INI("user_agent"),
    body: `it's; a="b" 100% $HOME`,
  },
];

const EXTENSIONS: readonly Row[] = [
  {
    what: "security.limit_extensions: .php unless said",
    file: "test.txt",
    status: 403,
    body: /Access denied/,
  },
  { what: ".phar too", file: "test.phar", body: "ok" },
  {
    what: "security.limit_extensions lets others through",
    pool: "security.limit_extensions = .php .html",
    file: "test.html",
    body: "ok",
  },
  {
    what: "and keeps back what it does not name",
    pool: "security.limit_extensions = .html",
    status: 403,
  },
  {
    what: "nothing behind it lets everything through",
    pool: "security.limit_extensions =",
    file: "test.anything",
    body: "ok",
  },
  {
    what: "a script that does not exist is 404",
    request: { script: "/nowhere/test.php" },
    status: 404,
    body: /File not found/,
  },
  {
    what: "the script that Apache's proxy names",
    also: async ({ ask, script }) => {
      const answer = await ask({ script: `proxy:fcgi://localhost:9000${script}` });
      expect(answer).toMatchObject({ status: 200, body: "ok" });
    },
  },
  {
    what: "PATH_INFO is what the web server says, and PHP_SELF has it",
    php: 'echo $_SERVER["PATH_INFO"], "|", $_SERVER["SCRIPT_NAME"], "|", $_SERVER["PHP_SELF"];',
    request: { params: { PATH_INFO: "/more", REQUEST_URI: "/test.php/more" } },
    body: "/more|/test.php|/test.php/more",
  },
];

const SURROUNDINGS: readonly Row[] = [
  {
    what: "env[NAME] is the worker's",
    pool: 'env[NAME] = "a value"',
    php: say("NAME"),
    body: "a value",
  },
  {
    what: "env[NAME] = $OTHER is taken from whoever starts it",
    pool: "env[NAME] = $OTHER",
    php: say("NAME"),
    env: { OTHER: "from outside" },
    body: "from outside",
  },
  {
    what: "the rest of the environment is kept away",
    php: say("OTHER"),
    env: { OTHER: "x" },
    body: "",
  },
  {
    what: "clear_env = no lets it in",
    pool: "clear_env = no",
    php: say("OTHER"),
    env: { OTHER: "x" },
    body: "x",
  },
  {
    what: "a client's Proxy header is no HTTP_PROXY of the environment",
    php: 'echo json_encode([getenv("HTTP_PROXY", true), getenv("HTTP_PROXY")]);',
    request: { params: { HTTP_PROXY: "http://evil/" } },
    body: "[false,false]",
  },
  {
    what: "getallheaders() has the request's headers",
    php: 'echo getallheaders()["X-Test"];',
    request: { params: { HTTP_X_TEST: "seen" } },
    body: "seen",
  },
  {
    what: "user and group are the worker's, with the supplementary groups of the user",
    needs: ["root"],
    pool: "user = www-data\ngroup = games",
    php: 'preg_match_all("/^(Uid|Gid):\\s(\\d+)/m", file_get_contents("/proc/self/status"), $m); echo implode(" ", $m[2]);',
    body: "33 60",
  },
  {
    what: "chdir is where it works",
    pool: "chdir = DIR/www",
    php: "echo getcwd();",
    body: /\/www$/,
  },
  {
    what: "chroot is its root, and takes no PHP inside",
    needs: ["root"],
    pool: "chroot = DIR/www",
    php: 'echo getcwd(), " ", json_encode(file_exists("/test.php")), json_encode(file_exists("/etc"));',
    request: { script: "/test.php" },
    body: "/ truefalse",
  },
  {
    what: "rlimit_files is how many files it may have open",
    pool: "rlimit_files = 321",
    php: 'echo preg_match("/^Max open files +321 /m", file_get_contents("/proc/self/limits"));',
    body: "1",
  },
  {
    what: "process.priority is its nice value",
    needs: ["root"],
    pool: "process.priority = 7",
    php: 'echo explode(" ", substr(strrchr(file_get_contents("/proc/self/stat"), ")"), 2))[16];',
    body: "7",
  },
  {
    what: "pm.max_requests replaces a worker",
    pool: "pm.max_requests = 2",
    php: "echo getmypid();",
    also: async ({ ask, answer }) => {
      expect((await ask()).body).toBe(answer.body);
      expect((await ask()).body).not.toBe(answer.body);
    },
  },
  {
    what: "prefix is what relative paths count from",
    pool: "prefix = DIR/own\naccess.log = access",
    prepare: (scene) => mkdirSync(scene.path("own")),
    also: async ({ scene }) => {
      const line = () => textOf(scene.path("own/access")) !== "";
      await eventually(line, { what: "the access log below the prefix" });
    },
  },
  {
    what: "the socket has listen.owner, listen.group and listen.mode, by number too",
    needs: ["root"],
    pool: "listen.owner = 33\nlisten.group = games\nlisten.mode = 0640",
    also: async ({ spot }) => {
      const { uid, gid, mode } = statSync(spot.listen);
      expect([uid, gid, (mode & 0o777).toString(8)]).toEqual([WWW_DATA, 60, "640"]);
    },
  },
];

const LIVES: readonly Row[] = [
  {
    what: "listen.allowed_clients keeps others out of a TCP port",
    tcp: true,
    pool: "listen.allowed_clients = 127.0.0.1",
    also: async ({ spot }) => expect(await fateOf(spot, "127.0.0.2")).toBe("turned away"),
  },
  {
    what: "fastcgi_finish_request() ends the answer, and the script goes on",
    php: `echo "answered"; fastcgi_finish_request();
do { usleep(2000); clearstatcache(); } while (file_exists($_GET["gate"]));
file_put_contents($_GET["gate"] . ".done", "went on");`,
    also: async ({ scene, ask }) => {
      const held = gate(scene);
      expect((await ask({ query: `gate=${held.path}` })).body).toBe("answered");
      expect(existsSync(`${held.path}.done`)).toBe(false);
      held.open();
      const done = () => textOf(`${held.path}.done`) === "went on";
      await eventually(done, { what: "the script has gone on" });
    },
    request: { query: "gate=/nowhere" },
  },
  {
    what: "request_terminate_timeout ends a request that takes longer, and the worker is replaced",
    pool: "request_terminate_timeout = 1s",
    php: 'if ($_GET["long"] ?? false) while (true) usleep(1000); echo "ok";',
    body: "ok",
    also: async ({ ask }) => {
      const loss = await ask({ query: "long=1" }).catch((error: unknown) => error);
      expect(loss).toBeInstanceOf(Lost);
      expect((await ask()).body).toBe("ok");
    },
  },
  {
    what: "slowlog has the stack of a request that takes longer than request_slowlog_timeout",
    needs: ["root"],
    pool: "slowlog = DIR/slow.log\nrequest_slowlog_timeout = 1s",
    php: `function waits(string $gate) { while (file_exists($gate)) { usleep(2000); clearstatcache(); } }
waits($_GET["gate"]); echo "ok";`,
    request: { query: "gate=/nowhere" },
    body: "ok",
    also: async ({ scene, ask }) => {
      const held = gate(scene);
      const answer = ask({ query: `gate=${held.path}` });
      const told = () => /waits\(\) .*test\.php:\d+/.test(textOf(scene.path("slow.log")));
      await eventually(told, { what: "the slow log tells the stack" });
      held.open();
      expect((await answer).body).toBe("ok");
    },
  },
  {
    what: "catch_workers_output = yes: what a script writes to stderr is a line of the log",
    pool: "catch_workers_output = yes",
    php: 'fwrite(fopen("php://stderr", "w"), "said by the script\\n"); echo "ok";',
    body: "ok",
    also: async ({ supervisor }) => {
      await supervisor.logged("said by the script");
      expect(supervisor.log()).not.toContain("said into stderr");
    },
  },
  {
    tcp: true,
    what: "several pools in one file, static, dynamic and ondemand, each on its socket and with its values",
    more: `[two]
user = www-data
listen = DIR/two.sock
pm = dynamic
pm.max_children = 3
pm.min_spare_servers = 1
pm.max_spare_servers = 2
php_value[precision] = 2
[three]
user = www-data
listen = DIR/three.sock
pm = ondemand
pm.max_children = 2
php_value[precision] = 3
`,
    pool: "php_value[precision] = 1",
    php: INI("precision"),
    body: "1",
    also: async ({ scene, script }) => {
      for (const [name, value] of [
        ["two.sock", "2"],
        ["three.sock", "3"],
      ] as const)
        expect((await fcgi({ path: scene.path(name) }, { script })).body).toBe(value);
    },
  },
  {
    what: "a reload has new values, and nobody is cut off",
    pool: "php_value[precision] = 1",
    php: `while (file_exists($_GET["gate"] ?? "")) { usleep(2000); clearstatcache(); } echo ini_get("precision");`,
    body: "1",
    also: async ({ scene, ask, supervisor, answer }) => {
      expect(answer.body).toBe("1");
      const held = gate(scene);
      const before = ask({ query: `gate=${held.path}` });
      await eventually(async () => (await statusOf(supervisor)).includes('"busy":1'), {
        what: "the request is in flight",
      });
      const file = scene.path("php-fpm.conf");
      scene.write(file, textOf(file).replace("[precision] = 1", "[precision] = 6"));
      expect((await supervisor.control("reload", "--no-wait")).code).toBe(0);
      expect((await ask()).body).toBe("6");
      held.open();
      expect((await before).body).toBe("1");
    },
  },
];

async function statusOf(supervisor: Supervisor): Promise<string> {
  const { stdout } = await supervisor.control("status", "--json");
  return JSON.stringify(JSON.parse(stdout));
}

async function logged(scene: Scene, line: RegExp): Promise<void> {
  const lines = () => textOf(scene.path("access.log")).split("\n");
  await eventually(() => lines().some((each) => line.test(each)), {
    what: `${line} in the access log: ${lines().join(" / ")}`,
  });
}

function config(scene: Scene, spot: Spot, { pool = "", more = "", access }: Row): string {
  const log = access === undefined ? "" : "access.log = DIR/access.log\n";
  const user = /^user/m.test(pool) ? "" : "user = www-data\n";
  const text = `[global]
error_log = /dev/stderr
pid = DIR/run/fpm.pid
process_control_timeout = 10m
[www]
${user}listen = ${spot.listen}
pm = static
pm.max_children = 1
${log}${pool}
${more}`;
  return scene.write("php-fpm.conf", text.replaceAll("DIR", scene.dir));
}

async function play(scene: Scene, row: Row): Promise<void> {
  const spot = row.tcp === undefined ? unixSpot(scene) : await tcpSpot(scene);
  mkdirSync(scene.path("run"));
  const php = row.php ?? 'echo "ok";';
  const script = scene.write(`www/${row.file ?? "test.php"}`, `<?php\n${php}\n`);
  row.prepare?.(scene);
  const file = config(scene, spot, row);
  const words = ["run", "-c", file, "--php", phpFpmProgram()!];
  const child = scene.spawn([BINARY, ...words], row.env === undefined ? {} : { env: row.env });
  const socket = scene.path("run/fpm.admin.sock");
  const supervisor = scene.follow(child.pid, file, socket, child.stderr);
  await ready(socket, () => alive(child.pid));
  const ask = (changed: FcgiRequest = {}) => {
    const request = { script, ...row.request, ...changed };
    const params = { SCRIPT_NAME: "/test.php", REQUEST_URI: "/test.php", ...request.params };
    return fcgi(spot.where, { ...request, params });
  };
  const answer = await ask();
  expect(answer.status, answer.body).toBe(row.status ?? 200);
  if (typeof row.body === "string") expect(answer.body).toBe(row.body);
  else if (row.body !== undefined) expect(answer.body).toMatch(row.body);
  if (row.access !== undefined) await logged(scene, row.access);
  await row.also?.({ scene, spot, supervisor, script, answer, ask });
}

for (const row of [...ACCESS, ...PAGES, ...VALUES, ...EXTENSIONS, ...SURROUNDINGS, ...LIVES])
  behaviour(row.what, { needs: ["php-fpm", "root", ...(row.needs ?? [])] }, (scene) =>
    play(scene, row),
  );
