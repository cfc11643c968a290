// Pools as the tests use them: an address of the scene's own, and the few lines of config around it.

import { chmodSync, copyFileSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { fcgi, type FcgiRequest, type FcgiResponse } from "./fcgi.ts";
import { findProgram } from "./packages.ts";
import { commandOf, descriptorsOf, listenersAt, workersAt, type Where } from "./processes.ts";
import type { Scene } from "./scene.ts";
import { eventually } from "./wait.ts";

/** A free address, as a client wants it and as a config writes it. */
export interface Spot {
  readonly where: Where;
  readonly listen: string;
}

export async function tcpSpot(scene: Scene, host = "127.0.0.1"): Promise<Spot> {
  const port = await scene.port();
  const listen = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return { where: { host, port }, listen };
}

export function unixSpot(scene: Scene, name = "www.sock"): Spot {
  const path = scene.path(name);
  return { where: { path }, listen: path };
}

type Table = Record<string, unknown>;

/** Limits that must not strike, however slow the machine is; a test of one of them sets its own. */
export const NO_HURRY: Table = { start_timeout: "10m", drain_timeout: "10m" };

/** A php-cgi pool. Two workers are enough for most stories. */
export function phpPool(spot: Spot, extra: Table = {}): Table {
  return { listen: spot.listen, command: ["php-cgi"], workers: 2, ...NO_HURRY, ...extra };
}

/**
 * A php-cgi that its own user may not read: the kernel lets nobody but a root with CAP_SYS_PTRACE look into
 * its workers.
 */
export function secretPhp(scene: Scene): string {
  const program = scene.path("secret", "php-cgi");
  mkdirSync(scene.path("secret"), { recursive: true });
  copyFileSync(realpathSync(findProgram("php-cgi")!), program);
  chmodSync(program, 0o711);
  return program;
}

/** A pool of the accept loop in test/fixture/fcgi/bare.pl. */
export function barePool(scene: Scene, spot: Spot, extra: Table = {}, ...args: string[]): Table {
  const program = scene.fixture("fcgi/bare.pl");
  return { listen: spot.listen, command: [program, ...args], workers: 2, ...NO_HURRY, ...extra };
}

/** The body of a request that must succeed with status 200. */
export async function bodyOf(spot: Spot, request: FcgiRequest): Promise<string> {
  const response = await answered(spot, request);
  return response.body;
}

async function answered(spot: Spot, request: FcgiRequest): Promise<FcgiResponse> {
  const response = await fcgi(spot.where, request);
  if (response.status === 200) return response;
  throw new Error(`status ${response.status}: ${response.body.slice(0, 200)}${response.stderr}`);
}

/** Waits until exactly `count` workers serve the spot, and returns their pids, sorted. */
export async function workersReach(spot: Spot, count: number): Promise<number[]> {
  return eventually(
    () => {
      const pids = workersAt(spot.where);
      return pids.length === count ? pids.toSorted((a, b) => a - b) : null;
    },
    { what: `${count} workers at ${spot.listen}` },
  );
}

export interface Renewal {
  /** How many new workers. */
  readonly count: number;
  readonly old: readonly number[];
  /** Those of the old ones that are not to leave yet. */
  readonly kept?: readonly number[];
}

/** Waits until new workers serve the spot, and of the old ones only those that are kept; gives the new ones. */
export async function renewed(spot: Spot, { count, old, kept = [] }: Renewal): Promise<number[]> {
  return eventually(
    () => {
      const pids = workersAt(spot.where);
      const fresh = pids.filter((pid) => !old.includes(pid));
      const rest = pids.filter((pid) => old.includes(pid)).toSorted();
      return fresh.length === count && Bun.deepEquals(rest, kept.toSorted()) ? fresh : null;
    },
    { what: `${count} new workers at ${spot.listen}, and of the old ones only [${kept}]` },
  );
}

/** Waits until nobody listens at the spot any more. */
export async function closed({ where, listen }: Spot): Promise<void> {
  await eventually(() => listenersAt(where).length === 0, { what: `${listen} is closed` });
}

/** Waits until some worker has a connection, and returns its pid. */
export async function connectedWorker(spot: Spot): Promise<number> {
  return eventually(() => workersAt(spot.where).find(isConnected), {
    what: `a worker at ${spot.listen} has a connection`,
  });
}

/** A connection is any socket beside the listening one on 0; 1 and 2 may lead to the log by a socket. */
function isConnected(pid: number): boolean {
  return [...descriptorsOf(pid)].some(([fd, target]) => fd > 2 && target.startsWith("socket:"));
}

/** A pool of the same accept loop, but its workers do not get as far as accept(2) while the file `gate` is there. */
export function gatedPool(scene: Scene, spot: Spot, gate: string, extra: Table = {}): Table {
  // select(2) on nothing would look like a worker that waits for connections.
  const wait = 'sleep 1 while -e $ARGV[0] && !-e "$ARGV[0].$$"; exec $ARGV[1]';
  const command = ["perl", "-e", wait, gate, scene.fixture("fcgi/bare.pl")];
  return { ...barePool(scene, spot, extra), command };
}

/** Workers of a gated pool that wait. */
export function gatedAt({ where }: Spot): number[] {
  return workersAt(where).filter(isGated);
}

/** Waits until exactly `count` workers of a gated pool wait, and returns their pids. */
export async function gatedReach(spot: Spot, count: number): Promise<number[]> {
  return eventually(
    () => {
      const pids = gatedAt(spot);
      return pids.length === count ? pids : null;
    },
    { what: `${count} workers at ${spot.listen} wait at their gate` },
  );
}

/** Lets this one through, the gate being closed for the others. */
export function letThrough(gate: string, pid: number): void {
  writeFileSync(`${gate}.${pid}`, "");
}

export function isGated(pid: number): boolean {
  return commandOf(pid)[1] === "-e";
}
