// A program that accepts on another descriptor than the one it was given: the listening socket is moved
// to fd 5, and fd 0 is free for connections. All that is seen from outside goes by the socket's inode, so
// all that hangs on it works as for any other program.

import { expect } from "bun:test";
import { allLeft, crash, recovered } from "../helper/crash.ts";
import { fcgi, Lost } from "../helper/fcgi.ts";
import { gate, hold } from "../helper/gate.ts";
import { barePool, bodyOf, type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { alive, descriptorsOf, listenersAt } from "../helper/processes.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { onlyLeaving, waitsOnlyFor } from "../helper/status.ts";
import { eventually } from "../helper/wait.ts";

interface WorkerTold {
  readonly pid: number;
  readonly state: string;
}

/** The workers of the only pool, the leaving ones too, as status tells them. */
async function workersTold(supervisor: Supervisor): Promise<readonly WorkerTold[]> {
  const status = (await (await supervisor.http("/v1/status")).json()) as {
    readonly pools: readonly { readonly groups: readonly { readonly workers: WorkerTold[] }[] }[];
  };
  return status.pools.flatMap(({ groups }) => groups.flatMap(({ workers }) => workers));
}

/** Waits until exactly these states are told, and returns the pids. */
function told(supervisor: Supervisor, ...states: string[]): Promise<number[]> {
  return eventually(
    async () => {
      const workers = await workersTold(supervisor);
      const same = Bun.deepEquals(workers.map(({ state }) => state).toSorted(), states.toSorted());
      return same ? workers.map(({ pid }) => pid) : null;
    },
    { what: `workers are ${states.join(", ")}` },
  );
}

for (const mode of ["elsewhere", "elsewhere-select"] as const) {
  const how = mode === "elsewhere" ? "accept" : "select";
  const pool = (scene: Scene, spot: Spot, extra = {}) => barePool(scene, spot, extra, mode);

  behaviour(`fd 5, in ${how}: idle and busy are told`, {}, async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run({ pools: { www: pool(scene, spot) } });
    const pids = await told(supervisor, "idle", "idle");
    const [listener] = listenersAt(spot.where);
    for (const pid of pids) {
      expect(descriptorsOf(pid).get(5)).toBe(`socket:[${listener}]`);
      expect(descriptorsOf(pid).has(0)).toBe(false);
    }
    const held = await hold(scene, spot);
    await told(supervisor, "busy", "idle");
    const workers = await workersTold(supervisor);
    expect(workers.find(({ state }) => state === "busy")!.pid).toBe(held.worker);
    await held.finish();
    expect(await told(supervisor, "idle", "idle")).toEqual(pids);
  });

  behaviour(
    `fd 5, in ${how}: a reload lets the request in flight finish, and nothing else`,
    {},
    async (scene) => {
      const spot = unixSpot(scene);
      const supervisor = await scene.start({ pools: { www: pool(scene, spot) } });
      const old = await told(supervisor, "idle", "idle");
      const held = await hold(scene, spot);
      const reload = supervisor.control("reload");
      await allLeft(old.filter((pid) => pid !== held.worker));
      await waitsOnlyFor(held, supervisor, reload);
      expect(await told(supervisor, "idle", "idle")).not.toContain(held.worker);
      expect(await bodyOf(spot, {})).toContain("hello");
    },
  );

  behaviour(`fd 5, in ${how}: request_timeout ends a request, and only that`, {}, async (scene) => {
    const spot = await tcpSpot(scene);
    const settings = { pools: { www: pool(scene, spot, { request_timeout: "300ms" }) } };
    const supervisor = await scene.run(settings);
    const pids = await told(supervisor, "idle", "idle");
    const { path, reached } = gate(scene);
    const outcome = fcgi(spot.where, { query: path }).catch((error: unknown) => error);
    const busy = await reached();
    expect(await outcome).toBeInstanceOf(Lost);
    await eventually(() => !alive(busy));
    await supervisor.logged(`worker ${busy} of pool www is killed: its request`);
    const now = await told(supervisor, "idle", "idle");
    expect(now).toContain(pids.find((pid) => pid !== busy)!);
    expect(supervisor.log().match(/is killed: its request/g)).toHaveLength(1);
  });

  behaviour(
    `fd 5, in ${how}: a killed supervisor's workers serve, and give the socket to the next`,
    {},
    async (scene) => {
      const spot = unixSpot(scene);
      const supervisor = await scene.start({ pools: { www: pool(scene, spot) } });
      const old = await told(supervisor, "idle", "idle");
      const sockets = listenersAt(spot.where);
      const held = await hold(scene, spot);
      await crash(supervisor);
      const next = await recovered(scene, supervisor);
      await next.logged("took over the socket");
      expect(listenersAt(spot.where)).toEqual(sockets);
      await allLeft(old.filter((pid) => pid !== held.worker));
      expect(alive(held.worker)).toBe(true);
      await held.finish();
      await allLeft(old);
      expect(await bodyOf(spot, {})).toContain("hello");
      await next.logged("2 left-over processes of pool www exited");
    },
  );
}

behaviour(
  "a program that waits in select, with sockets of its own, leaves at once when it is idle, and only then",
  {},
  async (scene) => {
    for (const spot of [await tcpSpot(scene), unixSpot(scene)]) {
      // With NO_HURRY a worker that does not leave by itself keeps the reload for ever.
      const pool = barePool(scene, spot, {}, "select");
      const supervisor = await scene.start({ log: { level: "debug" }, pools: { www: pool } });
      expect(await bodyOf(spot, {})).toContain("hello from a bare loop");
      await told(supervisor, "idle", "idle");
      const held = await hold(scene, spot);
      await told(supervisor, "busy", "idle");
      const reload = supervisor.control("reload");
      await onlyLeaving(supervisor, 1, [held.worker]);
      held.open();
      expect((await held.answer).body).toContain(`${held.worker}`);
      const { code, stdout } = await reload;
      expect({ code, cut: stdout.includes("cut short") }).toEqual({ code: 0, cut: false });
      expect((await supervisor.control("stop")).code).toBe(0);
      await supervisor.gone();
    }
  },
);
