// A canary: one worker of the new generation on a private socket, before any new worker joins the public
// one. With `health` it is asked over FastCGI: a generation that answers wrong never meets a client.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HealthConfig, PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import type { FcgiResponse } from "../../fcgi/client.ts";
import { Listener } from "../../socket/listener.ts";
import { type Address, UNIX_PATH_MAX } from "../../sys/socket/address.ts";
import { sendSignal } from "../../sys/process.ts";
import { removeSocket } from "../../sys/socket/socket-file.ts";
import { ANYBODY, SocketHolders, unixInodes } from "../../sys/proc/proc-sockets.ts";
import { eachLimited } from "./concurrency.ts";
import { askHealth, healthPath, wrongWith } from "./health.ts";
import { newGeneration, type SupervisorState } from "../supervisor-state.ts";

const CANARY_PREFIX = "canary-";
/** Only the supervisor talks to a canary. */
const PRIVATE_MODE = 0o600;
const SHOWN_CHARACTERS = 200;

/** Asks a canary of every pool that has `health`; rejects with the Fault of the first that does not answer as it should. */
export function askCanaries(
  state: SupervisorState,
  pools: readonly PoolConfig[],
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const asked = pools.filter(({ health }) => health !== null);
  return eachLimited(asked, signal, (pool, either) => askCanary(state, pool, number, either));
}

/**
 * Asks them likewise, and of the pools without `health` starts one worker of each kind: proves that a
 * config comes up, for a small part of what it costs to start all of it.
 */
export function tryCanaries(
  state: SupervisorState,
  pools: readonly PoolConfig[],
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const asked = pools.filter(({ health }) => health !== null);
  const others = pools.filter(({ health }) => health === null);
  const kinds = new Map(others.map((pool) => [kindOf(pool), pool])).values();
  return eachLimited([...asked, ...kinds], signal, (pool, either) =>
    askCanary(state, pool, number, either),
  );
}

/** What decides whether a worker comes up, but for what the preflight has looked at. */
function kindOf({ runtime, command, php, chroot }: PoolConfig): string {
  return JSON.stringify([runtime, command, php.ini, chroot]);
}

async function askCanary(
  state: SupervisorState,
  pool: PoolConfig,
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const { path, remove } = privatePlace(state.config.supervisor.stateDir);
  try {
    await tryAt(state, pool, { kind: "unix", path }, number, signal);
  } finally {
    remove();
  }
}

async function tryAt(
  state: SupervisorState,
  pool: PoolConfig,
  address: Address,
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const lone = alone(pool, address);
  const listener = Listener.open(lone);
  const generation = newGeneration(state, lone, listener, number);
  try {
    await generation.start(signal, null);
    if (pool.health !== null)
      check(pool, pool.health, await ask(pool, pool.health, listener.address, signal));
  } finally {
    await generation.stop();
    listener.close();
  }
}

let asked = 0;

/**
 * A path that nobody else can take or reach: in the state directory, or, where that is too deep for a socket, in
 * a folder of its own (mkdtemp(3): mode 0700, a name that cannot be guessed). `remove` takes the folder away.
 */
function privatePlace(stateDir: string): { readonly path: string; readonly remove: () => void } {
  const path = join(stateDir, `${CANARY_PREFIX}${process.pid}-${++asked}.sock`);
  if (Buffer.byteLength(path) <= UNIX_PATH_MAX) return { path, remove: () => {} };
  const folder = mkdtempSync(join(tmpdir(), `fcgivisor-${CANARY_PREFIX}`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  return { path: join(folder, "canary.sock"), remove };
}

/** A supervisor that died while it asked a canary left it over, with its socket. */
export function endLeftOverCanaries(stateDir: string): void {
  for (const name of readdirSync(stateDir)) {
    if (!name.startsWith(CANARY_PREFIX)) continue;
    const path = join(stateDir, name);
    for (const { pid } of unixInodes(path).flatMap((inode) =>
      new SocketHolders().of(inode, ANYBODY),
    ))
      sendSignal(pid, "SIGKILL");
    removeSocket(path);
  }
}

/** The pool as one worker behind a private socket. */
function alone(pool: PoolConfig, address: Address): PoolConfig {
  const listen = {
    address,
    backlog: pool.listen.backlog,
    owner: null,
    group: null,
    mode: PRIVATE_MODE,
    aclUsers: [],
    aclGroups: [],
  };
  return {
    ...pool,
    name: `${pool.name} (canary)`,
    listen,
    allowedClients: [],
    workers: 1,
    groupSize: 1,
  };
}

async function ask(
  pool: PoolConfig,
  health: HealthConfig,
  address: Address,
  signal: AbortSignal,
): Promise<FcgiResponse> {
  try {
    return await askHealth(pool, health, address, signal);
  } catch (error) {
    throw new Fault("the new workers do not answer the health check", {
      where: `pool ${pool.name}`,
      hint: `they were asked for ${health.script ?? healthPath(health)} on a private socket; no client has met them`,
      cause: error,
    });
  }
}

function check(pool: PoolConfig, health: HealthConfig, response: FcgiResponse): void {
  const wrong = wrongWith(health, response);
  if (wrong === null) return;
  const said = response.stderr.trim();
  throw new Fault(`the new workers answer the health check with ${wrong}`, {
    where: `pool ${pool.name}`,
    hint: `${said === "" ? "" : `they wrote: ${said.slice(0, SHOWN_CHARACTERS)}; `}they were asked on a private socket; no client has met them`,
  });
}
