// max_age and max_memory: workers are replaced one by one while they are idle, and nobody notices.

import { expect } from "bun:test";
import { holdPhp } from "../helper/gate.ts";
import { divided } from "../helper/parked.ts";
import { bodyOf, workersReach } from "../helper/pool.ts";
import { alive, leadersAt, workersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { startBare, startPhp } from "../helper/serving.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

behaviour(
  "a worker that holds too much is replaced by its leader, the others stay",
  PHP,
  async (scene) => {
    const { spot, supervisor, workers } = await startPhp(scene, { workers: 3, max_memory: "16M" });
    const [leader] = leadersAt(spot.where);
    const grown = Number(await bodyOf(spot, { script: scene.fixture("php/grow.php") }));
    expect(workers).toContain(grown);
    await eventually(() => !alive(grown), { what: `worker ${grown} is replaced` });
    const now = await workersReach(spot, 3);
    expect(now).toEqual(expect.arrayContaining(workers.filter((pid) => pid !== grown)));
    expect(leadersAt(spot.where)).toEqual([leader!]);
    // A crash would be told as one; this is usual. The one after it shows that there was time for that.
    process.kill(
      workers.find((pid) => pid !== grown)!,
      "SIGKILL",
    );
    await supervisor.logged("it crashed or was killed");
    expect(supervisor.log()).not.toContain(`worker ${grown} of pool www was`);
  },
);

behaviour("a parked worker that is too old is replaced, too", PHP, async (scene) => {
  const dynamic = { scaling: "dynamic", workers: 4, start_workers: 1, min_spare: 1, max_spare: 1 };
  const { spot } = await startPhp(scene, { ...dynamic, idle_timeout: "1s", max_age: "4s" });
  const { parked } = await divided(spot, 1, 3);
  await eventually(() => !parked.some(alive), { what: "the parked are replaced" });
  await divided(spot, 1, 3);
});

behaviour("a worker with a request in flight is not replaced", PHP, async (scene) => {
  const { spot } = await startPhp(scene, { workers: 2, max_age: "1s" });
  const held = await holdPhp(scene, spot);
  const seen = new Set<number>();
  // The other one is replaced again and again meanwhile.
  await eventually(() => {
    for (const pid of workersAt(spot.where)) if (pid !== held.worker) seen.add(pid);
    return seen.size >= 3;
  });
  expect(alive(held.worker)).toBe(true);
  await held.finish();
  await eventually(() => !alive(held.worker));
});

behaviour("under load nothing is lost", PHP, async (scene) => {
  const { spot, workers } = await startPhp(scene, { workers: 3, max_age: "1s" });
  const request = { script: scene.fixture("php/hello.php") };
  await underLoad(spot, request, async () => {
    await eventually(() => !workers.some(alive), { what: "all of the first workers are replaced" });
  });
});

behaviour("programs that do not fork are replaced likewise", {}, async (scene) => {
  const { spot, workers } = await startBare(scene, { workers: 2, max_age: "1s" });
  await underLoad(spot, {}, async () => {
    await eventually(() => !workers.some(alive), { what: "all of the first workers are replaced" });
  });
  await workersReach(spot, 2);
});
