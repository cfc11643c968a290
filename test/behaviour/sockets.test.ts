// Listening sockets, seen from a client's side and from /proc.

import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { fcgi } from "../helper/fcgi.ts";
import { hold } from "../helper/gate.ts";
import { nginx } from "../helper/nginx.ts";
import {
  barePool,
  bodyOf,
  gatedAt,
  gatedPool,
  gatedReach,
  phpPool,
  tcpSpot,
  unixSpot,
} from "../helper/pool.ts";
import { alive, procText, workersAt } from "../helper/processes.ts";
import { BINARY, ready } from "../helper/program.ts";
import { runBare, runPhp } from "../helper/serving.ts";
import { fateOf, isKeptOut, queueAt } from "../helper/tcp.ts";
import { AM_ROOT, behaviour, type Scene } from "../helper/scene.ts";
import { statusOf } from "../helper/status.ts";
import { eventually } from "../helper/wait.ts";

behaviour("serves PHP on an IPv4 address", { needs: ["php-cgi"] }, async (scene) => {
  const { spot } = await runPhp(scene);
  const script = scene.fixture("php/hello.php");
  expect(await bodyOf(spot, { script, query: "name=four" })).toBe("hello four");
});

behaviour("serves PHP on an IPv6 address", { needs: ["php-cgi", "ipv6"] }, async (scene) => {
  const spot = await tcpSpot(scene, "::1");
  await scene.run({ pools: { www: phpPool(spot) } });
  const script = scene.fixture("php/hello.php");
  expect(await bodyOf(spot, { script, query: "name=six" })).toBe("hello six");
});

/** The port as clients of both families reach it. */
function bothFamilies(port: number, listen: string) {
  const at = (host: string) => ({ where: { host, port }, listen });
  return { four: at("127.0.0.3"), six: at("::1") };
}

behaviour(
  "a port alone, and [::], mean every address of both families, before and after a death",
  { needs: ["ipv6"] },
  async (scene) => {
    const port = await scene.port();
    for (const listen of [`${port}`, `:${port}`, `[::]:${port}`]) {
      const { four, six } = bothFamilies(port, listen);
      const supervisor = await scene.run({ pools: { www: barePool(scene, four) } });
      expect(await bodyOf(four, {})).toContain("hello from a bare loop");
      expect(await bodyOf(six, {})).toContain("hello from a bare loop");
      if (listen.startsWith("[")) {
        supervisor.signal("SIGKILL");
        await supervisor.gone();
        const second = await scene.run({ pools: { www: barePool(scene, four) } });
        await second.logged("took over");
        expect(await bodyOf(four, {})).toContain("hello from a bare loop");
        expect((await second.control("stop")).code).toBe(0);
      } else {
        expect((await supervisor.control("stop")).code).toBe(0);
        await supervisor.gone();
      }
    }
  },
);

/** The three ways to write a port alone, as configs of a foreground supervisor. */
function portAlone(scene: Scene, port: number): readonly string[] {
  const toml = ["", ":"].map((colon) =>
    scene.config(
      { pools: { www: barePool(scene, { where: { path: "" }, listen: `${colon}${port}` }) } },
      `port${colon === "" ? "" : "-colon"}.toml`,
    ),
  );
  const who = AM_ROOT ? "user = www-data\n" : "";
  const ini = `[global]
pid = ${scene.path("run/fcgivisor.pid")}
error_log = /dev/stderr
[www]
${who}listen = ${port}
pm = static
pm.max_children = 2
`;
  mkdirSync(scene.path("run"), { recursive: true });
  return [...toml, scene.write("port.conf", ini)];
}

behaviour(
  "a port alone means every address of IPv4 where the kernel has no IPv6, before and after a death",
  { needs: ["php-cgi"] },
  async (scene) => {
    const without = scene.fixture("no-ipv6.pl");
    const port = await scene.port();
    const { four } = bothFamilies(port, `${port}`);
    const request = { script: scene.fixture("php/hello.php") };
    for (const config of portAlone(scene, port)) {
      const socket = scene.path(
        config.endsWith(".conf") ? "run/fcgivisor.admin.sock" : "run/admin.sock",
      );
      const begin = async () => {
        const child = scene.spawn([without, BINARY, "run", "-c", config]);
        const supervisor = scene.follow(child.pid, config, socket, child.stderr);
        await ready(socket, () => alive(child.pid));
        expect((await fcgi(four.where, request)).body).toMatch(/^hello /);
        expect((await statusOf(supervisor)).pools).toMatchObject([{ listen: `0.0.0.0:${port}` }]);
        return supervisor;
      };
      const first = await begin();
      // Its own socket is in nobody's way, and is what the config means here.
      const check = (...words: string[]) =>
        scene.command([without, BINARY, "check", "-c", config, ...words]);
      const checked = await check();
      expect(checked).toMatchObject({ code: 0, stderr: expect.not.stringContaining("in use") });
      expect((await check("--against")).stdout).toContain(`replace the workers of pool www`);
      first.signal("SIGKILL");
      await first.gone();
      const second = await begin();
      await second.logged("took over");
      expect((await second.control("reload")).code).toBe(0);
      expect((await second.control("stop")).code).toBe(0);
      await second.gone();
    }
  },
);

behaviour("an IPv6 address is refused where there is none, with the way out", {}, async (scene) => {
  const pool = barePool(scene, await tcpSpot(scene, "::1"));
  const config = scene.config({ pools: { www: pool } });
  const outcome = await scene.command([
    scene.fixture("no-ipv6.pl"),
    ...[BINARY, "run", "-c", config],
  ]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain("there are no IPv6 sockets here");
  expect(outcome.stderr).toContain("hint: listen on an IPv4 address, or on a port alone");
});

behaviour(
  "a port alone serves in a network whose interfaces have IPv6 switched off",
  { needs: ["root", "a network of its own"] },
  async (scene) => {
    const own = ["unshare", "--net", scene.fixture("no-ipv6-addresses.pl")];
    const port = await scene.port();
    const spot = { where: { path: "" }, listen: `${port}` };
    const supervisor = await scene.run({ pools: { www: barePool(scene, spot) } }, { under: own });
    const inside = ["nsenter", `--net=/proc/${supervisor.pid}/ns/net`, "--"];
    expect((await scene.command([...inside, "cat", "/proc/net/if_inet6"])).stdout).toBe("");
    const words = ["request", "/", "--to", `127.0.0.1:${port}`];
    const answer = await scene.command([...inside, BINARY, ...words]);
    expect(answer.stdout).toContain("hello from a bare loop");
  },
);

behaviour("each family can have a pool of its own", { needs: ["ipv6"] }, async (scene) => {
  const port = await scene.port();
  const { four } = bothFamilies(port, `*:${port}`);
  const { six } = bothFamilies(port, `[::]:${port} ipv6only=on`);
  await scene.run({
    pools: {
      four: barePool(scene, four),
      six: barePool(scene, six),
    },
  });
  expect(await bodyOf(four, {})).toContain("hello from a bare loop");
  expect(await bodyOf(six, {})).toContain("hello from a bare loop");
});

behaviour("who is in the way of both families is named", { needs: ["ipv6"] }, async (scene) => {
  const port = await scene.port();
  const { four } = bothFamilies(port, `127.0.0.1:${port}`);
  const first = await scene.run({ pools: { www: barePool(scene, four) } });
  const config = scene.config(
    {
      supervisor: { state_dir: scene.path("other") },
      pools: { www: barePool(scene, { ...four, listen: `${port}` }) },
    },
    "other.toml",
  );
  const outcome = await scene.fcgivisor(["start", "-c", config]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain(`the address is already in use by process ${first.pid}`);
});

behaviour("the listening socket of a worker is blocking", {}, async (scene) => {
  const { workers } = await runBare(scene);
  const flags = /^flags:\s*([0-7]+)/m.exec(procText(workers[0]!, "fdinfo/0"))![1]!;
  expect(Number.parseInt(flags, 8) & 0o4000).toBe(0);
});

behaviour(
  "a Unix socket gets its owner, group and mode, and goes when the supervisor stops",
  { needs: ["root"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const listen = { address: spot.listen, owner: "nobody", group: "www-data", mode: "0640" };
    const supervisor = await scene.run({ pools: { www: barePool(scene, spot, { listen }) } });
    const { uid, gid, mode } = statSync(spot.listen);
    expect([uid, gid, (mode & 0o777).toString(8)]).toEqual([65534, 33, "640"]);
    expect(await bodyOf(spot, {})).toContain("hello");
    expect((await supervisor.control("stop")).code).toBe(0);
    expect(existsSync(spot.listen)).toBe(false);
  },
);

behaviour("a relative path of a Unix socket starts at the config's folder", {}, async (scene) => {
  const spot = unixSpot(scene, "here.sock");
  await scene.run(
    { pools: { www: barePool(scene, spot, { listen: "./here.sock" }) } },
    { cwd: "/" },
  );
  expect(await bodyOf(spot, {})).toContain("hello");
});

behaviour("a stale socket file is replaced", {}, async (scene) => {
  const spot = unixSpot(scene);
  const code = "use IO::Socket::UNIX; IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1)";
  const { code: end } = await scene.command(["perl", "-e", `${code} or die $!`, spot.listen]);
  expect(end).toBe(0);
  expect(statSync(spot.listen).isSocket()).toBe(true);
  await scene.run({ pools: { www: barePool(scene, spot) } });
  expect(await bodyOf(spot, {})).toContain("hello");
});

behaviour("an ordinary file in a socket's place is not removed", {}, async (scene) => {
  const spot = unixSpot(scene, "precious");
  scene.write("precious", "data");
  const config = scene.config({ pools: { www: barePool(scene, spot) } });
  const outcome = await scene.fcgivisor(["start", "-c", config]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain("precious");
  expect(readFileSync(spot.listen, "utf8")).toBe("data");
});

behaviour(
  "a socket path that is too long is named with its length and limit",
  {},
  async (scene) => {
    const path = scene.path("x".repeat(120));
    const spot = { where: { path }, listen: path };
    const config = scene.config({ pools: { www: barePool(scene, spot) } });
    for (const word of ["check", "start"]) {
      const outcome = await scene.fcgivisor([word, "-c", config]);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain(String(path.length));
      expect(outcome.stderr).toContain("107");
    }
  },
);

behaviour("a taken TCP address names who holds it, by pid and command", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const squatter = createServer();
  const port = "port" in spot.where ? spot.where.port : 0;
  await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
  try {
    const outcome = await failedStart(scene, { www: barePool(scene, spot) });
    expect(outcome).toContain(spot.listen);
    expect(outcome).toContain(String(process.pid));
    expect(outcome).toContain("bun");
  } finally {
    await new Promise((resolve) => squatter.close(resolve));
  }
});

behaviour("a taken Unix socket is left to its holder, who is named", {}, async (scene) => {
  const spot = unixSpot(scene);
  const squatter = createServer((client) => client.end());
  await new Promise<void>((resolve) => squatter.listen(spot.listen, resolve));
  try {
    const outcome = await failedStart(scene, { www: barePool(scene, spot) });
    expect(outcome).toContain(spot.listen);
    expect(outcome).toContain(String(process.pid));
    expect(existsSync(spot.listen)).toBe(true);
  } finally {
    await new Promise((resolve) => squatter.close(resolve));
  }
});

async function failedStart(scene: Scene, pools: Record<string, Record<string, unknown>>) {
  const outcome = await scene.fcgivisor(["start", "-c", scene.config({ pools })]);
  expect(outcome.code).toBe(1);
  return outcome.stderr;
}

behaviour("two pools cannot share an address, and that is said beforehand", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const config = scene.config({
    pools: { one: barePool(scene, spot), two: barePool(scene, spot) },
  });
  const outcome = await scene.fcgivisor(["check", "-c", config]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain("one");
  expect(outcome.stderr).toContain("two");
});

behaviour(
  "allowed_clients turns other clients away before any worker sees them",
  { needs: ["nginx", "php-cgi"] },
  async (scene) => {
    const root = scene.path("www/php");
    scene.fixture("php/hello.php");
    const { spot } = await runPhp(scene, { allowed_clients: ["127.0.0.1"] });
    const known = await nginx(scene, { to: spot.where, root });
    const lines = ["fastcgi_connect_timeout 1s;", "fastcgi_bind 127.0.0.2;"];
    const other = await nginx(scene, { to: spot.where, root, lines });
    expect(await known.get("/hello.php")).toEqual({ status: 200, body: "hello world" });
    await expect(other.get("/hello.php")).rejects.toThrow("504");
    expect(await known.get("/hello.php")).toEqual({ status: 200, body: "hello world" });
  },
);

behaviour("allowed_clients holds for any program, with blocks of addresses", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const allowed = ["10.0.0.0/8", "127.0.0.0/30", "127.1.0.9"];
  await scene.run({ pools: { www: barePool(scene, spot, { allowed_clients: allowed }) } });
  for (const from of ["127.0.0.1", "127.0.0.3", "127.1.0.9"]) {
    expect(await fateOf(spot, from)).toBe("let in");
    expect(await bodyOf(spot, { from })).toContain("hello");
  }
  const others = ["127.0.0.4", "127.1.0.8", "127.1.0.10"];
  const fates = await Promise.all(others.map((from) => fateOf(spot, from)));
  expect(fates).toEqual(["turned away", "turned away", "turned away"]);
});

behaviour("allowed_clients holds for IPv6", { needs: ["ipv6"] }, async (scene) => {
  const inside = await tcpSpot(scene, "::1");
  const outside = await tcpSpot(scene, "::1");
  await scene.run({
    pools: {
      inside: barePool(scene, inside, { allowed_clients: ["fd00::/8", "::1"] }),
      outside: barePool(scene, outside, { allowed_clients: ["fd00::/8", "::2"] }),
    },
  });
  expect(await bodyOf(inside, {})).toContain("hello");
  expect(await fateOf(inside, "::1")).toBe("let in");
  expect(await fateOf(outside, "::1")).toBe("turned away");
});

behaviour("a connection made before the workers are there waits for them", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const gate = scene.path("gate");
  const pool = gatedPool(scene, spot, gate, { workers: 1 });
  const supervisor = await scene.run({ pools: { www: pool } });
  scene.write("gate", "");
  const restart = supervisor.control("restart");
  await gatedReach(spot, 1);
  expect(workersAt(spot.where)).toEqual(gatedAt(spot));
  const answers = Array.from({ length: 20 }, () => bodyOf(spot, {}));
  await eventually(() => queueAt(spot.where) === 20, { what: "all clients are in the queue" });
  rmSync(gate);
  expect((await restart).code).toBe(0);
  for (const body of await Promise.all(answers)) expect(body).toContain("hello");
});

behaviour("backlog bounds how many clients wait", {}, async (scene) => {
  const spot = unixSpot(scene);
  const listen = { address: spot.listen, backlog: 3, mode: "0666" };
  await scene.run({ pools: { www: barePool(scene, spot, { listen, workers: 1 }) } });
  const held = await hold(scene, spot);
  const clients: Socket[] = [];
  const fates = Array.from({ length: 9 }, () => {
    const client = connect({ path: spot.listen });
    clients.push(client);
    return new Promise<string>((resolve) => {
      client.once("connect", () => resolve("waits"));
      client.once("error", () => resolve("turned away"));
    });
  });
  const waiting = (await Promise.all(fates)).filter((fate) => fate === "waits").length;
  for (const client of clients) client.destroy();
  held.open();
  expect((await held.answer).status).toBe(200);
  expect(waiting).toBe(4); // Linux lets backlog + 1 wait
});

behaviour("a silent client on TCP holds no worker", { needs: ["php-cgi"] }, async (scene) => {
  const { spot } = await runPhp(scene, { workers: 1 });
  const script = scene.fixture("php/hello.php");
  const port = Number(spot.listen.split(":")[1]);
  // The kernel keeps a silent client from the workers for some seconds, in which another is served. A
  // machine may be too slow for that once, but not each time.
  await eventually(
    async () => {
      const silent = connect({ host: "127.0.0.1", port });
      try {
        await new Promise((resolve) => silent.once("connect", resolve));
        expect(await bodyOf(spot, { script })).toBe("hello world");
        return isKeptOut(silent.localPort!, port);
      } finally {
        silent.destroy();
      }
    },
    { what: "a request is served while a silent client is kept out" },
  );
});
