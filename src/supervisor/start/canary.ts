// A canary: one worker of the new generation on a private socket, before any new worker joins the public
// one. With `health` it is asked over FastCGI: a generation that answers wrong never meets a client.

import type { HealthConfig, PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import type { FcgiResponse } from "../../fcgi/client.ts";
import { Listener } from "../../socket/listener.ts";
import type { Address } from "../../sys/socket/address.ts";
import { privatePlace } from "./canary-place.ts";
import { eachLimited } from "./concurrency.ts";
import { askHealth, healthPath, wrongWith } from "./health.ts";
import { newGeneration, type SupervisorState } from "../supervisor-state.ts";

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
