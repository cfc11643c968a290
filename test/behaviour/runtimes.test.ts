// Each kind of FastCGI program the supervisor knows: it serves, and both quit and reload let it finish
// the request in flight, whatever signal that kind takes for it.

import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { gate, hold } from "../helper/gate.ts";
import { nginx } from "../helper/nginx.ts";
import { findProgram, type Part } from "../helper/packages.ts";
import { bodyOf, NO_HURRY, phpPool, tcpSpot, unixSpot, workersReach } from "../helper/pool.ts";
import { alive, leadersAt, listenersAt, workersAt } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { onlyLeaving, statusOf } from "../helper/status.ts";
import { eventually } from "../helper/wait.ts";

interface Kind {
  readonly name: string;
  readonly needs: readonly Part[];
  /** Puts the program in the scene; resolves with the pool's command. */
  readonly command: (scene: Scene) => Promise<readonly string[]>;
  /** Path of what a request asks for, below the folder of fixtures. */
  readonly page: string;
  readonly says: string;
  /** The page that waits at a gate, and what it says after that, where it is another one. */
  readonly held?: { readonly page: string; readonly says: string };
}

const C_WITH_LIBFCGI: readonly Part[] = ["gcc", "libfcgi", "libc-headers"];

/** The path of a program made of a source in test/fixture/fcgi. */
async function compiled(scene: Scene, name: string): Promise<string> {
  const source = scene.fixture(`fcgi/${name}.c`);
  const program = scene.path(`www/${name}-c`);
  const made = await scene.command(["gcc", "-O1", "-o", program, source, "-lfcgi", "-lpthread"]);
  expect(made).toMatchObject({ code: 0 });
  return program;
}

const KINDS: readonly Kind[] = [
  {
    name: "php-cgi",
    needs: ["php-cgi"],
    command: async () => ["php-cgi"],
    page: "php/hello.php",
    says: "hello",
    held: { page: "php/gate.php", says: "waited" },
  },
  {
    name: "Perl's FCGI",
    needs: ["perl-fcgi"],
    command: async (scene) => [scene.fixture("fcgi/hello.pl")],
    page: "fcgi/hello.pl",
    says: "hello from perl",
  },
  {
    name: "C with libfcgi",
    needs: C_WITH_LIBFCGI,
    command: async (scene) => [await compiled(scene, "hello")],
    page: "fcgi/hello.c",
    says: "hello from C",
  },
  ...["join", "epoll", "serve"].map((mode): Kind => ({
    name: `threads of libfcgi, the first one in ${mode}`,
    needs: C_WITH_LIBFCGI,
    command: async (scene) => [await compiled(scene, "threads"), mode],
    page: "fcgi/threads.c",
    says: "hello from a thread",
  })),
  {
    name: "fcgiwrap",
    needs: ["fcgiwrap"],
    command: async () => [findProgram("fcgiwrap")!],
    page: "cgi/hello.sh",
    says: "hello from a shell",
  },
  {
    name: "a program without a library",
    needs: [],
    command: async (scene) => [scene.fixture("fcgi/bare.pl")],
    page: "fcgi/bare.pl",
    says: "hello from a bare loop",
  },
];

async function stage(scene: Scene, kind: Kind) {
  const spot = await tcpSpot(scene);
  const command = await kind.command(scene);
  scene.fixture(kind.page);
  const pool = { listen: spot.listen, command, workers: 2, ...NO_HURRY };
  const supervisor = await scene.run({ pools: { app: pool } });
  return { spot, supervisor, workers: await workersReach(spot, 2) };
}

/** The same, with a request that one of the workers does not end before its gate is opened. */
async function stageHeld(scene: Scene, kind: Kind) {
  const { page, says } = kind.held ?? kind;
  const staged = await stage(scene, kind);
  const held = await hold(scene, staged.spot, { script: scene.fixture(page) });
  const [idle, ...others] = staged.workers.filter((pid) => pid !== held.worker);
  expect(others).toEqual([]);
  return { ...staged, held, idle: idle!, says };
}

for (const kind of KINDS) {
  behaviour(
    `${kind.name} serves through nginx`,
    { needs: [...kind.needs, "nginx"] },
    async (scene) => {
      const { spot } = await stage(scene, kind);
      const front = await nginx(scene, { to: spot.where, root: scene.path("www") });
      for (let i = 0; i < 6; i++) {
        const page = await front.get(`/${kind.page}`);
        expect(page.status).toBe(200);
        expect(page.body).toContain(kind.says);
      }
    },
  );

  behaviour(
    `${kind.name}: quit finishes the request in flight`,
    { needs: kind.needs },
    async (scene) => {
      const { spot, supervisor, held, idle, says } = await stageHeld(scene, kind);
      const quit = supervisor.control("quit");
      await eventually(() => !alive(idle), { what: "the idle worker leaves" });
      expect(workersAt(spot.where)).toEqual([held.worker]);
      await onlyLeaving(supervisor, 1, [held.worker]);
      expect(Bun.peek.status(quit)).toBe("pending");
      held.open();
      const response = await held.answer;
      expect(response).toMatchObject({ status: 200 });
      expect(response.body).toContain(says);
      expect(await quit).toMatchObject({ code: 0 });
      expect(alive(supervisor.pid)).toBe(false);
      expect(listenersAt(spot.where)).toEqual([]);
    },
  );

  behaviour(
    `${kind.name}: quit ends idle workers without their drain_timeout`,
    { needs: kind.needs },
    async (scene) => {
      const { spot, supervisor } = await stage(scene, kind);
      expect(await supervisor.control("quit")).toMatchObject({ code: 0 });
      expect(supervisor.log()).not.toMatch(/gets? SIG/);
      expect(listenersAt(spot.where)).toEqual([]);
    },
  );

  behaviour(
    `${kind.name}: reload finishes the request in flight`,
    { needs: kind.needs },
    async (scene) => {
      const { spot, supervisor, held, idle, says } = await stageHeld(scene, kind);
      const reload = supervisor.control("reload");
      await eventually(() => !alive(idle), { what: "the idle worker of before leaves" });
      const now = await workersReach(spot, 3);
      expect(now).toContain(held.worker);
      await onlyLeaving(supervisor, 1, [held.worker]);
      expect(Bun.peek.status(reload)).toBe("pending");
      held.open();
      expect((await held.answer).body).toContain(says);
      expect(await reload).toMatchObject({ code: 0 });
      expect(alive(held.worker)).toBe(false);
      const after = await workersReach(spot, 2);
      expect(after).toEqual(now.filter((pid) => pid !== held.worker));
    },
  );

  behaviour(`${kind.name}: stop does not wait for it`, { needs: kind.needs }, async (scene) => {
    const { spot, supervisor, held, says } = await stageHeld(scene, kind);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    expect(listenersAt(spot.where)).toEqual([]);
    // fcgiwrap itself answers for a program that is killed.
    const body = await held.answer.then((answer) => answer.body).catch(() => "");
    expect(body).not.toContain(says);
  });
}

behaviour(
  "of a program of threads each request counts, and each that is cut",
  { needs: C_WITH_LIBFCGI },
  async (scene) => {
    const spot = unixSpot(scene);
    const command = [await compiled(scene, "threads"), "serve"];
    const pool = { listen: spot.listen, command, workers: 1, ...NO_HURRY, drain_timeout: "1s" };
    const supervisor = await scene.start({ pools: { app: pool } });
    // One in each thread but one, which waits in accept(2) and makes nobody idle.
    const held = await Promise.all([1, 2, 3, 4].map(() => hold(scene, spot)));
    expect(await statusOf(supervisor)).toMatchObject({
      pools: [{ workers: { busy: 1, idle: 0 } }],
    });
    const reload = await supervisor.control("reload");
    expect(reload).toMatchObject({ code: 0 });
    expect(reload.stdout).toContain("4 requests were cut short");
    for (const { answer } of held) expect(await answer.catch((e) => e)).toBeInstanceOf(Lost);
  },
);

behaviour("stop_signal names another signal for a graceful stop", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const bare = textOf(scene.fixture("fcgi/bare.pl"));
  const other = bare.replace("POSIX::SIGTERM()", "POSIX::SIGUSR2()");
  expect(other).not.toBe(bare);
  const command = [scene.write("www/usr2.pl", other, 0o755)];
  const pool = { listen: spot.listen, command, workers: 2, stop_signal: "SIGUSR2", ...NO_HURRY };
  const supervisor = await scene.run({ log: { level: "debug" }, pools: { app: pool } });
  const workers = await workersReach(spot, 2);
  const held = await hold(scene, spot);
  const quit = supervisor.control("quit");
  await workersReach(spot, 1);
  held.open();
  expect((await held.answer).body).toContain("hello");
  expect(await quit).toMatchObject({ code: 0 });
  // Any other signal would have killed it.
  for (const pid of workers)
    await supervisor.logged(`worker ${pid} of pool app exited with code 0`);
});

behaviour(
  "a request longer than request_timeout is ended, alone",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run({
      pools: { app: phpPool(spot, { request_timeout: "800ms" }) },
    });
    const workers = await workersReach(spot, 2);
    const leaders = leadersAt(spot.where);
    const began = performance.now();
    const endless = { script: scene.fixture("php/gate.php"), query: gate(scene).path };
    const loss = await fcgi(spot.where, endless).catch((error) => error);
    expect(loss).toBeInstanceOf(Lost);
    expect(["cut", "reset"]).toContain((loss as Lost).kind);
    expect(performance.now() - began).toBeGreaterThanOrEqual(800);
    const told = /worker (\d+) of pool app is killed: .*request_timeout is 800 ms/;
    await supervisor.logged(told);
    const ended = Number(told.exec(supervisor.log())?.[1]);
    expect(workers).toContain(ended);
    await eventually(() => !alive(ended));
    const after = await workersReach(spot, 2);
    for (const pid of workers) expect(after.includes(pid)).toBe(pid !== ended);
    expect(leadersAt(spot.where)).toEqual(leaders);
  },
);

behaviour(
  "what is set as admin is changed neither by ini_set() nor by .user.ini; what is disabled adds up",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const ini = scene.write("php.ini", "disable_functions = shell_exec,passthru\n");
    const script = scene.fixture("php/break-out.php");
    writeFileSync(join(dirname(script), ".user.ini"), "memory_limit=888M\nuser_agent=theirs\n");
    // Without it PHP looks for no .user.ini.
    const request = { script, params: { DOCUMENT_ROOT: dirname(script) } };
    const admin = { memory_limit: "64M", disable_functions: "system", open_basedir: scene.dir };
    const defines = { user_agent: "plain", disable_functions: "exec", "fv.yes": true, "fv.n": 7 };
    const supervisor = await scene.start({
      // What the command itself says stays what it is.
      pools: {
        www: phpPool(spot, {
          command: ["php-cgi", "-d", "precision=5"],
          php: { ini, defines, admin },
        }),
      },
    });
    const settings = {
      script: scene.fixture("php/settings.php"),
      query: "ini=precision,memory_limit",
    };
    expect(JSON.parse(await bodyOf(spot, settings))).toMatchObject({
      ini: { precision: "5", memory_limit: "64M" },
    });
    const held = {
      memory_limit: [false, "64M"],
      user_agent: ["theirs", "plain"],
      open_basedir: [false, scene.dir],
    };
    expect(JSON.parse(await bodyOf(spot, request))).toEqual({
      tried: held,
      callable: [],
    });
    // A new generation has what stands there then.
    scene.rewrite({
      pools: { www: phpPool(spot, { php: { ini, defines, admin: { memory_limit: "65M" } } }) },
    });
    expect((await supervisor.control("reload")).code).toBe(0);
    expect(JSON.parse(await bodyOf(spot, request))).toEqual({
      tried: { ...held, memory_limit: [false, "65M"], open_basedir: ["", "/"] },
      callable: ["system"],
    });
  },
);

behaviour(
  "programs that serve one request each and exit 0 are started again at once, and never punished",
  { needs: ["perl-fcgi"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const command = [scene.fixture("fcgi/once.pl"), "1", "0.1"];
    const pool = { listen: spot.listen, command, workers: 3, ...NO_HURRY };
    const log = { level: "debug" };
    const supervisor = await scene.start({ log, pools: { www: pool } });
    // More ask than there are workers, so that nearly every one has somebody waiting when it starts.
    const ask = async () => {
      for (let i = 0; i < 10; i++) expect(await bodyOf(spot, {})).toContain("served by");
    };
    const asking = Promise.all([ask(), ask(), ask(), ask(), ask()]);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    await asking;
    expect(supervisor.log()).toContain("after its share of requests");
    expect(supervisor.log()).not.toMatch(/next try|warn|error/);
    expect(JSON.parse((await supervisor.control("status", "--json")).stdout)).toMatchObject({
      pools: [{ failures: 0 }],
    });
    // One that ends without having accepted anything does not come up, whoever waits.
    const broken = { ...pool, command: [command[0]!, "0"], workers: 1 };
    scene.rewrite({ log, pools: { www: broken } });
    const waiting = Promise.all([ask(), ask(), ask(), ask(), ask()]);
    const refused = await supervisor.control("reload");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("exited with code 0 while it was starting");
    await waiting;
  },
);

const PSGI = 'sub { [200, ["Content-Type" => "text/plain"], ["served by plack $$"]] }\n';
const RUBY = `require "fcgi"
FCGI.each { |r| r.out.print "Content-Type: text/plain\\r\\n\\r\\nserved by ruby #{$$}"; r.finish }
`;

/** Programs that people ask about, as `help runtimes` has them. */
const ASKED_ABOUT: readonly {
  readonly needs: readonly Part[];
  readonly pool: (scene: Scene) => Record<string, unknown>;
  readonly script?: string;
  readonly says: string;
}[] = [
  {
    // Without its config file it exits 0 after each request.
    needs: ["mapserver"],
    pool: () => ({ command: ["mapserv"] }),
    says: "MapServer",
  },
  {
    needs: ["fcgiwrap", "cgit"],
    pool: () => ({ command: ["fcgiwrap"] }),
    script: "/usr/lib/cgit/cgit.cgi",
    says: "cgit",
  },
  {
    needs: ["ruby-fcgi"],
    pool: (scene) => ({ command: ["ruby", scene.write("app.rb", RUBY)] }),
    says: "served by ruby",
  },
  {
    needs: ["plack", "perl-fcgi"],
    pool: (scene) => ({
      command: [
        ...["plackup", "-E", "deployment", "-s", "FCGI", "--manager", ""],
        scene.write("app.psgi", PSGI),
      ],
      runtime: "libfcgi",
    }),
    says: "served by plack",
  },
];

for (const { needs, pool, script, says } of ASKED_ABOUT) {
  behaviour(
    `${needs[0]} serves, is reloaded and quits, without a word of trouble`,
    { needs },
    async (scene) => {
      const spot = unixSpot(scene);
      const pools = { www: { listen: spot.listen, workers: 2, ...NO_HURRY, ...pool(scene) } };
      const supervisor = await scene.start({ pools });
      const ask = async () => {
        const request = script === undefined ? {} : { script };
        for (let i = 0; i < 5; i++) expect((await fcgi(spot.where, request)).body).toContain(says);
      };
      await ask();
      expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
      await ask();
      expect((await supervisor.control("quit")).code).toBe(0);
      await supervisor.gone();
      expect(supervisor.log()).not.toMatch(/ (warn|error|alert) /);
    },
  );
}

behaviour(
  "plackup with workers of its own is told as that, with the way out",
  { needs: ["plack", "plack-manager", "perl-fcgi"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const command = ["plackup", "-s", "FCGI", "--nproc", "3", scene.write("app.psgi", PSGI)];
    const pool = { listen: spot.listen, workers: 1, start_timeout: "5s", command };
    const config = scene.config({ pools: { www: pool } });
    const outcome = await scene.fcgivisor(["start", "-c", config]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("it has started 3 processes of its own");
    expect(outcome.stderr).toContain('--manager ""');
  },
);

behaviour("a program that only seems to wait, and exits 0, is made to wait", {}, async (scene) => {
  const spot = unixSpot(scene);
  // What it waits for in select(2) is nothing.
  const command = ["perl", "-e", "select(undef, undef, undef, 0.05); exit 0"];
  const pool = { listen: spot.listen, command, workers: 1, ...NO_HURRY };
  const config = scene.config({ pools: { www: pool } });
  const child = scene.spawn([BINARY, "run", "-c", config]);
  const log = () => child.stderr();
  const supervisor = scene.follow(child.pid, config, scene.path("run/admin.sock"), log);
  await eventually(() => /exited with code 0/.test(log()), { what: "its end is told" });
  // Either the start has failed at it, or it is tried again after longer and longer pauses.
  await eventually(() => !alive(child.pid) || /next try in/.test(log()), {
    what: "it is made to wait",
  });
  if (alive(child.pid)) expect((await supervisor.control("stop")).code).toBe(0);
});
