// What a later supervisor needs to find the service again when this one has died: which sockets
// there are, and who serves on them. Written whole and renamed, so that it is never half there; read
// with distrust, because it may be anything.

import { rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { asFault, Fault } from "../../fault.ts";
import type { Address } from "../../sys/socket/address.ts";
import { readOwnFile } from "../../sys/own-file.ts";
import { unfinishedName, writeOwnFile } from "../../sys/replace-file.ts";
import { refuseExposed } from "../../sys/trust.ts";
import { STATE_FORMAT, STATE_DIR_HINT } from "./state-format.ts";

export interface PoolRecord {
  readonly name: string;
  readonly address: Address;
  /** Of the listening socket. */
  readonly inode: string;
  /** Who made the socket, and so ends it. */
  readonly maker: "fcgivisor" | "systemd";
  readonly runtime: string;
  /** Name of the workers' program, as /proc tells it. */
  readonly command: string | null;
  readonly stop_signal: string | null;
  readonly drain_timeout_ms: number;
  /** User that the workers run as; null = unknown, or several. */
  readonly uid: number | null;
  /** Where the kernel does not let us see who holds the socket, the workers are found by these. */
  readonly groups: readonly { readonly pid: number; readonly start_time: number }[];
}

export interface State {
  readonly format: typeof STATE_FORMAT;
  readonly version: string;
  readonly pid: number;
  /** Goes on growing in the next supervisor. */
  readonly generation: number;
  readonly pools: readonly PoolRecord[];
}

export function statePath(stateDir: string): string {
  return join(stateDir, "state.json");
}

/** Replaces the state file. Throws what the system says (ENOSPC, for instance); the old one is then still whole. */
export function writeState(stateDir: string, state: State): void {
  writeOwnFile(statePath(stateDir), `${JSON.stringify(state, null, 1)}\n`, 0o600);
}

export function removeState(stateDir: string): void {
  rmSync(statePath(stateDir), { force: true });
  rmSync(unfinishedName(statePath(stateDir)), { force: true });
}

/**
 * The state that was left; null when none was. Throws a Fault for a file that is not understood, or that others
 * may have written: what it names is signalled and removed.
 */
export function readState(stateDir: string): State | null {
  const path = statePath(stateDir);
  const text = readTrusted(stateDir, path);
  if (text === null) return null;
  try {
    return checkState(JSON.parse(text));
  } catch (error) {
    const fault = asFault(error);
    throw new Fault(`the state file is not understood: ${fault.message}`, {
      where: path,
      hint: "workers that an earlier supervisor left are looked for by their addresses instead, with --takeover",
    });
  }
}

function readTrusted(stateDir: string, path: string): string | null {
  try {
    const text = readOwnFile(path);
    if (text !== null) refuseExposed(stateDir, "the state directory", STATE_DIR_HINT);
    return text;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("cannot read the state file", { where: path, cause: error });
  }
}

/** Reads a state with distrust. Throws a Fault for what is none, or a newer one. */
export function checkState(state: unknown): State {
  const { format, pools, version, pid, generation } = object(state, "the file");
  if (typeof format !== "number") throw new Fault("it names no format");
  if (format > STATE_FORMAT) {
    throw new Fault(
      `it was written by a newer fcgivisor (${String(version)}, format ${format}); this one reads up to ${STATE_FORMAT}`,
    );
  }
  if (!Array.isArray(pools)) throw new Fault("`pools` is not a list");
  return {
    format: STATE_FORMAT,
    version: String(version),
    pid: Number(pid),
    generation: Number.isSafeInteger(generation) ? Number(generation) : 0,
    pools: pools.map(checkPool),
  };
}

function checkPool(pool: unknown): PoolRecord {
  const record = object(pool, "a pool");
  const { name, address, inode, maker, runtime, command, stop_signal, drain_timeout_ms } = record;
  if (typeof name !== "string" || typeof runtime !== "string")
    throw new Fault("a pool has no name or runtime");
  if (typeof inode !== "string" || !/^[0-9]+$/.test(inode))
    throw new Fault(`pool ${name} has no inode`);
  if (!Number.isFinite(drain_timeout_ms) || Number(drain_timeout_ms) < 0)
    throw new Fault(`pool ${name} has no drain_timeout_ms`);
  return {
    name,
    runtime,
    inode,
    maker: maker === "systemd" ? maker : "fcgivisor",
    address: checkAddress(address, name),
    command: typeof command === "string" ? command : null,
    stop_signal:
      typeof stop_signal === "string" && stop_signal in constants.signals ? stop_signal : null,
    drain_timeout_ms: Number(drain_timeout_ms),
    uid: Number.isSafeInteger(record["uid"]) ? Number(record["uid"]) : null,
    groups: checkGroups(record["groups"]),
  };
}

function checkGroups(groups: unknown): PoolRecord["groups"] {
  if (!Array.isArray(groups)) return [];
  return groups.flatMap((group: unknown) => {
    const { pid, start_time } = object(group, "a group");
    const sound = Number.isSafeInteger(pid) && Number(pid) > 1 && Number.isSafeInteger(start_time);
    return sound ? [{ pid: Number(pid), start_time: Number(start_time) }] : [];
  });
}

function checkAddress(value: unknown, pool: string): Address {
  const { kind, host, port, path, ipv6Only } = object(value, `the address of pool ${pool}`);
  if (kind === "unix" && typeof path === "string") return { kind, path };
  if (
    (kind === "inet" || kind === "inet6") &&
    typeof host === "string" &&
    typeof port === "number"
  ) {
    return kind === "inet6" && ipv6Only === true
      ? { kind, host, port, ipv6Only }
      : { kind, host, port };
  }
  throw new Fault(`the address of pool ${pool} is none`);
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Fault(`${what} is not an object`);
}
