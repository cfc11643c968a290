// The usual opening of a test: a supervisor with one pool, named www, whose workers serve.

import { barePool, phpPool, tcpSpot, workersReach, type Spot } from "./pool.ts";
import type { Supervisor } from "./program.ts";
import type { Foreground, Scene } from "./scene.ts";

type Table = Record<string, unknown>;

export interface Serving<S extends Supervisor> {
  readonly spot: Spot;
  readonly supervisor: S;
  /** Pids, sorted. */
  readonly workers: number[];
}

/** In the background, with a pool of the bare accept loop; on TCP unless the spot is another. */
export async function startBare(
  scene: Scene,
  extra: Table = {},
  spot?: Spot,
): Promise<Serving<Supervisor>> {
  const at = spot ?? (await tcpSpot(scene));
  return serving(at, extra, scene.start({ pools: { www: barePool(scene, at, extra) } }));
}

/** The same with php-cgi. */
export async function startPhp(
  scene: Scene,
  extra: Table = {},
  spot?: Spot,
): Promise<Serving<Supervisor>> {
  const at = spot ?? (await tcpSpot(scene));
  return serving(at, extra, scene.start({ pools: { www: phpPool(at, extra) } }));
}

/** In the foreground, with a pool of the bare accept loop. */
export async function runBare(
  scene: Scene,
  extra: Table = {},
  spot?: Spot,
): Promise<Serving<Foreground>> {
  const at = spot ?? (await tcpSpot(scene));
  return serving(at, extra, scene.run({ pools: { www: barePool(scene, at, extra) } }));
}

/** The same with php-cgi. */
export async function runPhp(
  scene: Scene,
  extra: Table = {},
  spot?: Spot,
): Promise<Serving<Foreground>> {
  const at = spot ?? (await tcpSpot(scene));
  return serving(at, extra, scene.run({ pools: { www: phpPool(at, extra) } }));
}

/** In the background, with a pool of the test's own making. */
export function startPool(scene: Scene, spot: Spot, pool: Table): Promise<Serving<Supervisor>> {
  return serving(spot, pool, scene.start({ pools: { www: pool } }));
}

/** In the foreground, likewise. */
export function runPool(scene: Scene, spot: Spot, pool: Table): Promise<Serving<Foreground>> {
  return serving(spot, pool, scene.run({ pools: { www: pool } }));
}

async function serving<S extends Supervisor>(
  spot: Spot,
  { workers = 2 }: Table,
  started: Promise<S>,
): Promise<Serving<S>> {
  const supervisor = await started;
  return { spot, supervisor, workers: await workersReach(spot, Number(workers)) };
}
