// What status tells of each worker: since when, how old, what it has used, and the request that it is in. A
// connection that is kept open between two requests makes nobody busy.

import { expect } from "bun:test";
import { answersSchema } from "../../src/admin/schema.ts";
import type { Status, WorkerStatus } from "../../src/admin/contract.ts";
import { hold } from "../helper/gate.ts";
import { KeptConnection } from "../helper/kept.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour } from "../helper/scene.ts";
import { against } from "../helper/schema.ts";
import { runPhp } from "../helper/serving.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

async function looked(supervisor: Supervisor, path: string): Promise<Status> {
  const answer = await supervisor.http(path, { keepalive: false });
  const status = (await answer.json()) as Status;
  const schema = answersSchema();
  expect(against(status, { $ref: "#/definitions/status" }, schema)).toEqual([]);
  return status;
}

function workersOf({ pools }: Status): readonly WorkerStatus[] {
  return pools[0]!.groups.flatMap(({ workers }) => workers);
}

behaviour(
  "a worker's request with query and length, since when, its age, CPU and memory",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene);
    const script = scene.fixture("php/gate.php");
    const held = await hold(scene, spot, { script, method: "POST", body: "x".repeat(1234) });
    const of = (status: Status) => workersOf(status).find(({ pid }) => pid === held.worker)!;
    const first = of(await looked(supervisor, "/v1/status"));
    expect(first).toMatchObject({
      state: "busy",
      request: { method: "POST", uri: "/gate.php", script, content_length: 1234 },
    });
    expect(first.request!.query).toContain("/gates/");
    expect(first.age_ms).toBeGreaterThan(0);
    expect("pss_bytes" in first).toBe(false);
    await eventually(
      async () => {
        const { state_ms, age_ms } = of(await looked(supervisor, "/v1/status"));
        return state_ms >= first.state_ms + 100 && age_ms! >= first.age_ms! + 100;
      },
      { what: "it is busy for longer, and older" },
    );
    for (const worker of workersOf(await looked(supervisor, "/v1/status?detail=1"))) {
      expect(worker.pss_bytes).toBeGreaterThan(worker.private_bytes!);
      expect(worker.private_bytes).toBeGreaterThan(0);
      expect(worker.rss_bytes).toBeGreaterThan(worker.pss_bytes!);
    }
    await held.finish();
  },
);

behaviour("a worker burns CPU: cpu_ms grows", PHP, async (scene) => {
  const { spot, supervisor } = await runPhp(scene, { workers: 1 });
  const script = scene.write(
    "burn.php",
    `<?php
    $gate = $_SERVER["QUERY_STRING"];
    file_put_contents("$gate.new", getmypid() . "\\n");
    rename("$gate.new", "$gate.at");
    while (file_exists($gate)) { clearstatcache(); for ($i = 0; $i < 10000; $i++) {} }
    echo getmypid();`,
  );
  const held = await hold(scene, spot, { script });
  await eventually(
    async () => workersOf(await looked(supervisor, "/v1/status"))[0]!.cpu_ms >= 100,
    { what: "it has used a tenth of a second" },
  );
  await held.finish();
});

behaviour(
  "a connection that is kept open between requests leaves its worker idle",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await runPhp(scene, { workers: 1 });
    const kept = new KeptConnection(spot.where);
    scene.atEnd(() => kept.close());
    const script = scene.fixture("php/hello.php");
    await kept.request({ script });
    const idle = async () => {
      const status = await looked(supervisor, "/v1/status");
      return status.pools[0]!.workers.idle === 1 && workersOf(status)[0]!.request === null;
    };
    await eventually(idle, { what: "the worker of the kept connection counts as idle" });
    await kept.request({ script });
    await eventually(idle, { what: "after another request, too" });
  },
);
