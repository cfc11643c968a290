// A gate holds a scene open: a worker waits at it for as long as the test wants, however fast or slow
// the machine is. It is a file; a worker that has come to it leaves its pid beside it, and goes on when
// the file is gone.

import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fcgi, type FcgiRequest, type FcgiResponse } from "./fcgi.ts";
import type { Spot } from "./pool.ts";
import type { Scene } from "./scene.ts";
import { eventually, LONGEST_MS } from "./wait.ts";

export interface Gate {
  /** What the programs and scripts of test/fixture take as QUERY_STRING. */
  readonly path: string;
  /** Who has come to it, now or before; null = nobody yet. */
  readonly at: () => number | null;
  /** Resolves with the pid of the process that waits at it. */
  readonly reached: () => Promise<number>;
  /** Lets everybody through, from now on. */
  readonly open: () => void;
}

let count = 0;

/** Where gates are: in the scene's folder, where workers of any user may write. */
export function gateFolder(scene: Pick<Scene, "path">): string {
  const dir = scene.path("gates");
  mkdirSync(dir, { recursive: true });
  chmodSync(dir, 0o777);
  return dir;
}

/** A gate that is closed. One with a name is known beforehand to what waits at it, and may be closed again. */
export function gate(scene: Pick<Scene, "path">, name = String(count++)): Gate {
  const path = `${gateFolder(scene)}/${name}`;
  rmSync(`${path}.at`, { force: true });
  writeFileSync(path, "");
  const at = () => {
    const word = existsSync(`${path}.at`) ? readFileSync(`${path}.at`, "utf8") : "";
    return /^\d+\n$/.test(word) ? Number(word) : null;
  };
  return {
    path,
    at,
    reached: () => eventually(at, { every: 5, what: `a worker waits at the gate ${path}` }),
    open: () => rmSync(path, { force: true }),
  };
}

export interface Held {
  /** Pid of the worker that has the request. */
  readonly worker: number;
  /** The answer, when the gate is open; a loss rejects it, but does not end the test by itself. */
  readonly answer: Promise<FcgiResponse>;
  /** Lets the request end. */
  readonly open: () => void;
  /** Lets the request end, and throws unless its worker answers it; for programs that answer with their pid. */
  readonly finish: () => Promise<void>;
}

/**
 * Sends a request that a worker begins and does not end before the gate is opened; resolves when it
 * has begun.
 */
export async function hold(
  scene: Pick<Scene, "path">,
  spot: Spot,
  request: Omit<FcgiRequest, "query"> = {},
): Promise<Held> {
  const { path, reached, open } = gate(scene);
  const answer = fcgi(spot.where, { timeout: 2 * LONGEST_MS, ...request, query: path });
  answer.catch(() => {});
  const worker = await Promise.race([reached(), answer.then(endedAtOnce)]);
  const finish = async () => {
    open();
    const { body } = await answer;
    if (!new RegExp(`\\b${worker}\\b`).test(body)) throw new Error(`worker ${worker}: ${body}`);
  };
  return { worker, answer, open, finish };
}

/** The same for a PHP pool. */
export function holdPhp(scene: Pick<Scene, "path" | "fixture">, spot: Spot): Promise<Held> {
  return hold(scene, spot, { script: scene.fixture("php/gate.php") });
}

function endedAtOnce({ status, body, stderr }: FcgiResponse): never {
  throw new Error(`the request did not wait at its gate: ${status} ${body}${stderr}`);
}
