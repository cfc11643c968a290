// Each kind of FastCGI program the supervisor knows: it serves, and both quit and reload let it finish
// the request in hand, whatever signal that kind takes as polite.

import { expect } from "bun:test";
import { fcgi } from "../helper/fcgi.ts";
import { nginx } from "../helper/nginx.ts";
import { inHand, tcpSpot, workersReach, type Spot } from "../helper/pool.ts";
import { alive, listenersAt } from "../helper/processes.ts";
import { findProgram, type Part } from "../helper/packages.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

interface Kind {
  readonly name: string;
  readonly needs: readonly Part[];
  /** Puts the program in the scene; resolves with the pool's command. */
  readonly command: (scene: Scene) => Promise<readonly string[]>;
  /** Path of what a request asks for, below the folder of fixtures. */
  readonly page: string;
  /** Query string of a request that takes so many milliseconds. */
  readonly slow: (ms: number) => string;
  readonly says: string;
}

const seconds = (ms: number): string => String(ms / 1_000);

const KINDS: readonly Kind[] = [
  {
    name: "php-cgi",
    needs: ["php-cgi"],
    command: async () => ["php-cgi"],
    page: "php/slow.php",
    slow: (ms) => `ms=${ms}`,
    says: "slept",
  },
  {
    name: "Perl's FCGI",
    needs: ["perl-fcgi"],
    command: async (scene) => [scene.fixture("fcgi/hello.pl")],
    page: "fcgi/hello.pl",
    slow: seconds,
    says: "hello from perl",
  },
  {
    name: "C with libfcgi",
    needs: ["gcc", "libfcgi", "libc-headers"],
    command: async (scene) => {
      const source = scene.fixture("fcgi/hello.c");
      const program = scene.path("www/hello-c");
      const made = await scene.command(["gcc", "-O1", "-o", program, source, "-lfcgi"]);
      expect(made).toMatchObject({ code: 0 });
      return [program];
    },
    page: "fcgi/hello.c",
    slow: seconds,
    says: "hello from C",
  },
  {
    name: "fcgiwrap",
    needs: ["fcgiwrap"],
    command: async () => [findProgram("fcgiwrap")!],
    page: "cgi/hello.sh",
    slow: seconds,
    says: "hello from a shell",
  },
  {
    name: "a program without a library",
    needs: [],
    command: async (scene) => [scene.fixture("fcgi/bare.pl")],
    page: "fcgi/bare.pl",
    slow: seconds,
    says: "hello from a bare loop",
  },
];

async function stage(scene: Scene, kind: Kind) {
  const spot = await tcpSpot(scene);
  const command = await kind.command(scene);
  const script = scene.fixture(kind.page);
  const pool = { listen: spot.listen, command, workers: 2 };
  const supervisor = await scene.run({ pools: { app: pool } });
  return { spot, script, supervisor };
}

/** Begins a request of `ms` milliseconds and waits until a worker has it. */
async function beginSlow(spot: Spot, kind: Kind, script: string, ms: number) {
  const answer = fcgi(spot.where, { script, query: kind.slow(ms) });
  answer.catch(() => undefined);
  const worker = await inHand(spot);
  return { answer, worker };
}

for (const kind of KINDS) {
  behaviour(
    `${kind.name} serves through nginx`,
    { needs: [...kind.needs, "nginx"] },
    async (scene) => {
      const { spot } = await stage(scene, kind);
      const front = await nginx(scene, { to: spot.where, root: scene.path("www") });
      for (let i = 0; i < 6; i++) {
        const page = await front.get(`/${kind.page}?${kind.slow(10)}`);
        expect(page.status).toBe(200);
        expect(page.body).toContain(kind.says);
      }
    },
  );

  behaviour(
    `${kind.name}: quit finishes the request in hand`,
    { needs: kind.needs },
    async (scene) => {
      const { spot, script, supervisor } = await stage(scene, kind);
      const { answer } = await beginSlow(spot, kind, script, 1_500);
      const quit = supervisor.control("quit");
      const response = await answer;
      expect(response).toMatchObject({ status: 200 });
      expect(response.body).toContain(kind.says);
      expect(await quit).toMatchObject({ code: 0 });
      expect(alive(supervisor.pid)).toBe(false);
      expect(listenersAt(spot.where)).toEqual([]);
    },
  );

  behaviour(`${kind.name}: quit while idle is quick`, { needs: kind.needs }, async (scene) => {
    const { spot, supervisor } = await stage(scene, kind);
    await workersReach(spot, 2);
    const quit = await supervisor.control("quit");
    expect(quit).toMatchObject({ code: 0 });
    expect(quit.ms).toBeLessThan(1_500 * 4);
  });

  behaviour(
    `${kind.name}: reload finishes the request in hand`,
    { needs: kind.needs },
    async (scene) => {
      const { spot, script, supervisor } = await stage(scene, kind);
      const before = await workersReach(spot, 2);
      const { answer, worker } = await beginSlow(spot, kind, script, 1_200);
      const reload = supervisor.control("reload");
      const response = await answer;
      expect(response.body).toContain(kind.says);
      expect(await reload).toMatchObject({ code: 0 });
      expect(alive(worker)).toBe(false);
      const after = await eventually(async () => {
        const pids = await workersReach(spot, 2);
        return pids.some((pid) => before.includes(pid)) ? null : pids;
      });
      expect(after.length).toBe(2);
    },
  );

  behaviour(`${kind.name}: stop does not wait for it`, { needs: kind.needs }, async (scene) => {
    const { spot, script, supervisor } = await stage(scene, kind);
    await beginSlow(spot, kind, script, 8_000);
    const stop = await supervisor.control("stop");
    expect(stop).toMatchObject({ code: 0 });
    expect(stop.ms).toBeLessThan(3_000);
    expect(listenersAt(spot.where)).toEqual([]);
  });
}

behaviour("stop_signal names another polite signal", { needs: ["perl-fcgi"] }, async (scene) => {
  const spot = await tcpSpot(scene);
  const command = [scene.fixture("fcgi/hello.pl")];
  const pool = { listen: spot.listen, command, workers: 2, stop_signal: "SIGUSR1" };
  const supervisor = await scene.run({ pools: { app: pool } });
  const slow = fcgi(spot.where, { query: "1" });
  await inHand(spot);
  const quit = await supervisor.control("quit");
  expect(quit).toMatchObject({ code: 0 });
  expect((await slow).body).toContain("hello from perl");
});

behaviour(
  "a request longer than request_timeout is ended, alone",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/slow.php");
    const pool = {
      listen: spot.listen,
      command: ["php-cgi"],
      workers: 2,
      request_timeout: "800ms",
    };
    const supervisor = await scene.run({ pools: { app: pool } });
    await workersReach(spot, 2);
    const began = performance.now();
    const slow = fcgi(spot.where, { script, query: "ms=20000", timeout: 25_000 }).then(
      () => "answered",
      () => "lost",
    );
    const busy = await inHand(spot);
    for (let i = 0; i < 10; i++) {
      expect((await fcgi(spot.where, { script, query: "ms=10" })).body).toContain("slept");
    }
    expect(await slow).toBe("lost");
    expect(performance.now() - began).toBeGreaterThan(700);
    expect(performance.now() - began).toBeLessThan(8_000);
    await eventually(() => !alive(busy));
    await workersReach(spot, 2);
    expect(supervisor.log()).toContain("request_timeout");
  },
);
