// Pools that follow their load: all workers are there from the start, those not needed are parked, and
// whatever happens to the supervisor, nobody waits behind one that is.

import { expect } from "bun:test";
import { allLeft, crash, recovered } from "../helper/crash.ts";
import { type Held, hold, holdPhp } from "../helper/gate.ts";
import { activeAt, divided, guardianOf, isStopped, stoppedAt } from "../helper/parked.ts";
import { bodyOf, phpPool, secretPhp, tcpSpot, unixSpot, workersReach } from "../helper/pool.ts";
import { alive, leadersAt, workersAt } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { behaviour, type Scene, WITHOUT_PTRACE } from "../helper/scene.ts";
import { startBare, startPhp } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

/** Two at the start, and nobody is parked again before the test is over. */
const DYNAMIC = {
  ...{ scaling: "dynamic", workers: 8, start_workers: 2, min_spare: 1, max_spare: 2 },
  idle_timeout: "1h",
};

/** So many requests at once, all of which are in a worker at the same time. */
function holdMany(count: number, one: () => Promise<Held>): Promise<Held[]> {
  return Promise.all(Array.from({ length: count }, one));
}

async function finishAll(held: readonly Held[]): Promise<void> {
  await Promise.all(held.map(({ finish }) => finish()));
}

behaviour(
  "a dynamic pool has all its workers from the start, most of them parked",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, DYNAMIC);
    const { active } = await divided(spot, 2, 6);
    const [pool] = (await statusOf(supervisor)).pools;
    expect(pool).toMatchObject({
      state: "serving",
      workers: { wanted: 8, idle: 2, busy: 0, parked: 6, unknown: 0 },
    });
    const states = pool!.groups.flatMap(({ workers }) => workers);
    expect(
      states
        .filter(({ state }) => state === "idle")
        .map(({ pid }) => pid)
        .toSorted(),
    ).toEqual(active.toSorted());
    expect((await supervisor.http("/readyz")).status).toBe(200);
    const metrics = await (await supervisor.http("/metrics")).text();
    expect(metrics).toContain('fcgivisor_pool_workers{pool="www",state="parked"} 6');
    const { stdout } = await supervisor.control("status");
    expect(stdout).toMatch(/BUSY .* PARKED *\nwww +serving +\S+ +0\/8 .* 6 *\n/);
  },
);

for (const [name, spotOf] of [
  ["TCP", tcpSpot],
  ["a Unix socket", async (scene: Scene) => unixSpot(scene)],
] as const)
  behaviour(
    `a burst on ${name} wakes as many as it needs, and leaves spares`,
    PHP,
    async (scene) => {
      const { spot } = await startPhp(scene, DYNAMIC, await spotOf(scene));
      const before = await divided(spot, 2, 6);
      const held = await holdMany(5, () => holdPhp(scene, spot));
      expect(new Set(held.map(({ worker }) => worker)).size).toBe(5);
      // The same processes as before: nothing was forked.
      const all = [...before.active, ...before.parked].toSorted();
      expect(workersAt(spot.where).toSorted()).toEqual(all);
      await eventually(() => activeAt(spot).length >= 6, { what: "an idle worker to spare" });
      await finishAll(held);
    },
  );

behaviour("when it is quiet, all but the spares are parked again", PHP, async (scene) => {
  const { spot } = await startPhp(scene, { ...DYNAMIC, idle_timeout: "1s" });
  await divided(spot, 2, 6);
  await finishAll(await holdMany(8, () => holdPhp(scene, spot)));
  await divided(spot, 2, 6);
});

behaviour("a worker with a request in flight is not parked", PHP, async (scene) => {
  const { spot } = await startPhp(scene, { ...DYNAMIC, idle_timeout: "1s" });
  await divided(spot, 2, 6);
  const [long, ...others] = await holdMany(8, () => holdPhp(scene, spot));
  await finishAll(others);
  const { active } = await divided(spot, 3, 5);
  expect(active).toContain(long!.worker);
  await long!.finish();
});

behaviour("an ondemand pool keeps one worker, and grows from there", PHP, async (scene) => {
  const ondemand = { scaling: "ondemand", workers: 6, idle_timeout: "1s" };
  const { spot } = await startPhp(scene, ondemand);
  await divided(spot, 1, 5);
  await finishAll(await holdMany(6, () => holdPhp(scene, spot)));
  await divided(spot, 1, 5);
});

behaviour("programs that do not fork are parked likewise", {}, async (scene) => {
  const { spot } = await startBare(scene, DYNAMIC);
  const before = await divided(spot, 2, 6);
  const held = await holdMany(6, () => hold(scene, spot));
  expect(workersAt(spot.where).toSorted()).toEqual([...before.active, ...before.parked].toSorted());
  await finishAll(held);
});

behaviour("somebody else's SIGSTOP is told, parked workers are left alone", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, DYNAMIC);
  const { active, parked } = await divided(spot, 2, 6);
  process.kill(active[0]!, "SIGSTOP");
  await supervisor.logged(`process ${active[0]} of pool www is stopped`);
  for (const pid of parked) expect(supervisor.log()).not.toContain(`process ${pid} `);
  process.kill(active[0]!, "SIGCONT");
});

behaviour(
  "a parked worker that somebody continues is active, one that is killed is replaced",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, DYNAMIC);
    const { parked } = await divided(spot, 2, 6);
    process.kill(parked[0]!, "SIGCONT");
    process.kill(parked[1]!, "SIGKILL");
    await allLeft([parked[1]!]);
    await eventually(async () => {
      const { idle, parked } = (await statusOf(supervisor)).pools[0]!.workers;
      return idle === 4 && parked === 4;
    });
    await finishAll(await holdMany(8, () => holdPhp(scene, spot)));
  },
);

// ---------------------------------------------------------------- what ends them

for (const word of ["stop", "quit", "restart", "reload", "upgrade"] as const)
  behaviour(`${word} with parked workers`, PHP, async (scene) => {
    const { spot, supervisor } = await startPhp(scene, DYNAMIC);
    const { active, parked } = await divided(spot, 2, 6);
    const words = word === "upgrade" ? [word, BINARY] : [word];
    const outcome = await supervisor.control(...words);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
    await allLeft([...active, ...parked]);
    // Nobody had to be told twice.
    expect(supervisor.log()).not.toContain("has not exited");
    if (word === "stop" || word === "quit") return;
    await divided(spot, 2, 6);
  });

behaviour("a reload under load parks and drains without a loss", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, { ...DYNAMIC, idle_timeout: "1s" });
  await divided(spot, 2, 6);
  const request = { script: scene.fixture("php/hello.php") };
  await underLoad(spot, request, async ({ further }) => {
    for (let i = 0; i < 3; i++) {
      const outcome = await supervisor.control("reload");
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      await further(20);
    }
  });
});

behaviour(
  "workers that end all the time are no reason to stop following the load",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, { ...DYNAMIC, max_requests: 2 });
    await divided(spot, 2, 6);
    await underLoad(spot, { script: scene.fixture("php/hello.php") }, ({ further }) =>
      further(100),
    );
    expect(supervisor.log()).not.toContain("cannot follow its load");
    expect((await statusOf(supervisor)).pools[0]).toMatchObject({ follows_load: true });
  },
);

behaviour(
  "max_workers: idle workers of one pool go where somebody waits; it is told once",
  PHP,
  async (scene) => {
    const follows = { ...DYNAMIC, start_workers: 1, max_spare: 1 };
    const [a, b] = [await tcpSpot(scene), await tcpSpot(scene)];
    const pools = { a: phpPool(a, follows), b: phpPool(b, follows) };
    const supervisor = await scene.run({ supervisor: { max_workers: 6 }, pools });
    await Promise.all([divided(a, 1, 7), divided(b, 1, 7)]);
    const held = await holdMany(5, () => holdPhp(scene, a));
    await divided(a, 5, 3);
    const waiting = Array.from({ length: 3 }, () => holdPhp(scene, b));
    await Promise.race(waiting);
    await supervisor.logged(/pools want [0-9]+ active workers, and max_workers is 6: /);
    await divided(a, 5, 3);
    await divided(b, 1, 7);
    await finishAll(held);
    await finishAll(await Promise.all(waiting));
    expect(activeAt(a).length + activeAt(b).length).toBeLessThanOrEqual(6);
    expect(supervisor.log().match(/max_workers is 6/g)).toHaveLength(1);
  },
);

// ---------------------------------------------------------------- the supervisor dies

behaviour(
  "the guardian is there while somebody is parked, and is replaced when it dies",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, { ...DYNAMIC, max_spare: 8 });
    await divided(spot, 2, 6);
    const first = await eventually(() => guardianOf(supervisor));
    process.kill(first, "SIGKILL");
    const second = await eventually(() => {
      const pid = guardianOf(supervisor);
      return pid === first ? null : pid;
    });
    // Nobody was woken by that.
    expect(stoppedAt(spot).length).toBe(6);
    process.kill(second, "SIGTERM");
    const held = await holdMany(8, () => holdPhp(scene, spot));
    await eventually(() => !alive(second), {
      what: "the guardian leaves with the last parked worker",
    });
    expect(guardianOf(supervisor)).toBeNull();
    await finishAll(held);
  },
);

behaviour("kill -9 wakes the parked, and they serve", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, DYNAMIC);
  const { active, parked } = await divided(spot, 2, 6);
  const guardian = guardianOf(supervisor)!;
  await crash(supervisor);
  await divided(spot, 8, 0);
  await allLeft([guardian]);
  await finishAll(await holdMany(8, () => holdPhp(scene, spot)));
  const next = await recovered(scene, supervisor);
  await allLeft([...active, ...parked]);
  await divided(spot, 2, 6);
  await next.control("stop");
});

behaviour("kill -9 of the supervisor in the middle of a burst", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, DYNAMIC);
  await divided(spot, 2, 6);
  const burst = holdMany(8, () => holdPhp(scene, spot));
  process.kill(supervisor.pid, "SIGKILL");
  await finishAll(await burst);
  await supervisor.gone();
  await eventually(() => stoppedAt(spot).length === 0);
  await recovered(scene, supervisor);
});

behaviour(
  "where supervisor and guardian die together, the next start wakes the parked",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, DYNAMIC);
    const { active, parked } = await divided(spot, 2, 6);
    const guardian = guardianOf(supervisor)!;
    // Stopped, it cannot replace the guardian.
    supervisor.signal("SIGSTOP");
    await eventually(() => isStopped(supervisor.pid));
    process.kill(guardian, "SIGKILL");
    await crash(supervisor);
    expect(stoppedAt(spot).toSorted()).toEqual(parked.toSorted());
    await recovered(scene, supervisor);
    await allLeft([...active, ...parked]);
    await divided(spot, 2, 6);
  },
);

behaviour("quit after such a death ends the parked, too", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, DYNAMIC);
  const { active, parked } = await divided(spot, 2, 6);
  const guardian = guardianOf(supervisor)!;
  supervisor.signal("SIGSTOP");
  await eventually(() => isStopped(supervisor.pid));
  process.kill(guardian, "SIGKILL");
  await crash(supervisor);
  const outcome = await supervisor.control("quit");
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  await allLeft([...active, ...parked]);
});

// ---------------------------------------------------------------- the right to look

const AS_IN_A_CONTAINER = { needs: ["php-cgi", "root"] } as const;

behaviour(
  "root without CAP_SYS_PTRACE sees what its workers do, and parks them",
  AS_IN_A_CONTAINER,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pools = { www: phpPool(spot, DYNAMIC) };
    const supervisor = await scene.run({ pools }, { under: WITHOUT_PTRACE });
    await divided(spot, 2, 6);
    const held = await holdMany(3, () => holdPhp(scene, spot));
    const [pool] = (await statusOf(supervisor)).pools;
    expect(pool!.workers).toMatchObject({ busy: 3, unknown: 0 });
    const scripts = pool!.groups.flatMap(({ workers }) =>
      workers.map(({ request }) => request?.script),
    );
    expect(scripts.filter((script) => script?.endsWith("gate.php")).length).toBe(3);
    await finishAll(held);
    expect(supervisor.log()).not.toContain("cannot follow its load");
  },
);

behaviour(
  "where it cannot be seen what workers do, it is told, and all stay active",
  AS_IN_A_CONTAINER,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pools = { www: phpPool(spot, { ...DYNAMIC, command: [secretPhp(scene)] }) };
    const supervisor = await scene.run({ pools }, { under: WITHOUT_PTRACE });
    await supervisor.logged("pool www cannot follow its load");
    await divided(spot, 8, 0);
    expect((await statusOf(supervisor)).pools[0]).toMatchObject({
      ...{ state: "serving", scaling: "dynamic", follows_load: false },
      workers: { unknown: 8, parked: 0 },
    });
    const { stdout } = await supervisor.control("status");
    expect(stdout).toContain("pool www cannot follow its load");
    expect(guardianOf(supervisor)).toBeNull();
  },
);

// ---------------------------------------------------------------- at rest

/** Idle workers are parked after a second, and the last one leaves with them. */
const RESTING = {
  ...{ scaling: "ondemand", workers: 4, idle_timeout: "1s", rest_timeout: "0s" },
};

behaviour(
  "an ondemand pool at rest has no process, and the next request starts it",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.start({ pools: { www: phpPool(spot, RESTING) } });
    await workersReach(spot, 0);
    const [pool] = (await statusOf(supervisor)).pools;
    expect(pool).toMatchObject({ state: "resting", workers: { wanted: 0, parked: 0 }, groups: [] });
    expect((await supervisor.http("/readyz")).status).toBe(200);
    const status = await supervisor.control("status");
    expect(status).toMatchObject({ code: 0 });
    expect(status.stdout).toMatch(/\nwww +resting /);
    expect(guardianOf(supervisor)).toBeNull();
    await finishAll(await holdMany(4, () => holdPhp(scene, spot)));
    await workersReach(spot, 0);
    // At rest it can be reloaded, and stopped.
    const reloaded = await supervisor.control("reload");
    expect(reloaded, reloaded.stderr).toMatchObject({ code: 0 });
    await workersReach(spot, 0);
  },
);

behaviour("requests that come in the moment of leaving are served", PHP, async (scene) => {
  const spots = [0, 1].map((i) => unixSpot(scene, `app${i}.sock`));
  const pools = Object.fromEntries(
    spots.map((spot, i) => [`app${i}`, phpPool(spot, { ...RESTING, workers: 2 })]),
  );
  await scene.start({ pools });
  const request = { script: scene.fixture("php/hello.php") };
  // One request after the other, until the workers have left in between, and what comes then.
  const races = spots.map(async (spot) => {
    for (let round = 0; round < 2; round++) {
      expect(await bodyOf(spot, request)).toContain("hello");
      const leader = leadersAt(spot.where)[0]!;
      while (alive(leader)) {
        expect(await bodyOf(spot, request)).toContain("hello");
        // A pause in which it is seen to be idle, and no two of the same length.
        await Bun.sleep(Math.random() * 20);
      }
    }
  });
  await Promise.all(races);
});
