// A canary: one worker of the new generation on a private socket, before any new worker joins the public
// one. With `health` or `smoke` it is asked over FastCGI: a generation that answers wrong never meets a client.

import type { HealthConfig, PoolConfig, SmokeRequest } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import type { FcgiResponse } from "../../fcgi/client.ts";
import { shownStderr, wrongWith } from "../../fcgi/expectation.ts";
import { Listener } from "../../socket/listener.ts";
import type { Address } from "../../sys/socket/address.ts";
import { privatePlace } from "./canary-place.ts";
import { askSmoke, type SmokeResult } from "./smoke.ts";
import { eachLimited } from "./concurrency.ts";
import { askHealth, healthPath } from "./health.ts";
import { newGeneration, type SupervisorState } from "../supervisor-state.ts";

/** Only the supervisor talks to a canary. */
const PRIVATE_MODE = 0o600;

/** Asks a canary of every pool that has `health` or `smoke`; rejects with the Fault of the first that does not answer as it should. */
export function askCanaries(
  state: SupervisorState,
  pools: readonly PoolConfig[],
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const asked = pools.filter(hasQuestions);
  return eachLimited(asked, signal, (pool, either) => askCanary(state, pool, number, either));
}

/**
 * Asks them likewise, and of the pools with neither starts one worker of each kind: proves that a
 * config comes up, for a small part of what it costs to start all of it.
 */
export function tryCanaries(
  state: SupervisorState,
  pools: readonly PoolConfig[],
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const asked = pools.filter(hasQuestions);
  const others = pools.filter((pool) => !hasQuestions(pool));
  const kinds = new Map(others.map((pool) => [kindOf(pool), pool])).values();
  return eachLimited([...asked, ...kinds], signal, (pool, either) =>
    askCanary(state, pool, number, either),
  );
}

function hasQuestions({ health, smoke }: PoolConfig): boolean {
  return health !== null || smoke.length > 0;
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
    for (const request of pool.smoke)
      checkSmoke(pool, request, await askSmoke(pool, request, listener.address, signal));
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
  const wrong = wrongWith(response, health);
  if (wrong !== null) refuse(pool, `the health check with ${wrong}`, shownStderr(response));
}

function checkSmoke(pool: PoolConfig, { method, path }: SmokeRequest, result: SmokeResult): void {
  if (result.wrong !== null)
    refuse(pool, `the smoke request ${method} ${path} with ${result.wrong}`, result.stderr);
}

function refuse(pool: PoolConfig, what: string, said: string): never {
  throw new Fault(`the new workers answer ${what}`, {
    where: `pool ${pool.name}`,
    hint: `${said === "" ? "" : `they wrote: ${said}; `}they were asked on a private socket; no client has met them`,
  });
}
