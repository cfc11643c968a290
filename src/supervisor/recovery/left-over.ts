// One socket that an earlier supervisor left, and the workers that serve on it. Holds a copy of the
// socket, where that can be had, and lets the workers leave; when that is to be is the recovery's to say.

import type { PoolConfig } from "../../config/model.ts";
import { generic } from "../../runtime/generic.ts";
import { RUNTIMES } from "../../runtime/registry.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { boundAddress } from "../../socket/bound.ts";
import type { LeftSocket } from "../../socket/holders.ts";
import { takeBack } from "../../socket/take-back.ts";
import { Listener, type Maker } from "../../socket/listener.ts";
import { sendSignal } from "../../sys/process.ts";
import type { SocketHolders } from "../../sys/proc/proc-sockets.ts";
import { type ProcessStat, stillThere } from "../../sys/proc/procfs.ts";
import { type Address, type ListenAddress, sameAddress } from "../../sys/socket/address.ts";
import { closeSocket, endListening } from "../../sys/socket/socket.ts";
import { SocketFile } from "../../sys/socket/socket-file.ts";
import {
  type LeftOverContext,
  leftNames,
  LeftOverWorkers,
} from "../../worker/left-over-workers.ts";
import { handedOver } from "../sockets.ts";
import type { RecoveryContext } from "../supervisor-state.ts";
import type { PoolRecord } from "./state-file.ts";

/** Our copy of the socket, or why it could not be had and whether its workers are in the way of a new one. */
type Copy = { readonly fd: number } | { readonly why: string; readonly blocks: boolean };

export class LeftOver {
  readonly record: PoolRecord;
  /** How many processes serve on it. */
  readonly workers: number;
  readonly copy: Copy;
  private readonly context: RecoveryContext;
  private readonly stopped: readonly ProcessStat[];
  /** As it was found: when the last worker has left, nobody can tell whose it was. */
  private readonly file: SocketFile | null;

  private constructor(
    context: RecoveryContext,
    record: PoolRecord,
    found: { readonly workers: readonly ProcessStat[]; readonly copy: Copy },
  ) {
    this.context = context;
    this.record = record;
    this.workers = found.workers.length;
    this.stopped = found.workers.filter(({ state }) => state === "T");
    this.copy = found.copy;
    const { address, inode } = record;
    this.file = address.kind === "unix" ? SocketFile.of(address.path, Number(inode)) : null;
  }

  /**
   * Looks for what is left of a record, and takes a copy of its socket; null when nothing is. `handed`:
   * the socket itself, from the program before this one.
   */
  static find(
    context: RecoveryContext,
    record: PoolRecord,
    handed: number | undefined,
    look: SocketHolders,
  ): LeftOver | null {
    const taken = takeBack(record.address, leftSocket(record), handed, look);
    switch (taken.got) {
      case "socket":
        return new LeftOver(context, record, {
          workers: taken.holders,
          copy: { fd: taken.fd },
        });
      case "refused":
        return new LeftOver(context, record, {
          workers: taken.holders,
          copy: { why: taken.why, blocks: taken.blocks },
        });
      case "nobody": {
        const left = new LeftOverWorkers(workersOf(context, record));
        const workers = left.find(look, ownGroups(context));
        const copy = { why: "there is no right to look into its workers", blocks: true };
        return workers.length === 0 ? null : new LeftOver(context, record, { workers, copy });
      }
    }
  }

  /** Continues those that the earlier supervisor had parked, and that nobody has continued since. */
  wake(): void {
    for (const worker of this.stopped)
      if (stillThere(worker) !== null) sendSignal(worker.pid, "SIGCONT");
  }

  isOn(address: ListenAddress): boolean {
    return sameAddress(this.record.address, address);
  }

  /** Its workers, to let them leave. */
  get serving(): LeftOverWorkers {
    return new LeftOverWorkers(workersOf(this.context, this.record));
  }
  /** What holds its socket, also what scripts left in the background. */
  get holders(): LeftOverWorkers {
    return new LeftOverWorkers({ ...workersOf(this.context, this.record), command: "anybody" });
  }

  /** At the end of the whole service: what not even KILL ends loses the socket, so that the address is free. */
  end(): void {
    if (this.maker === "systemd") return;
    const taken = takeBack(this.record.address, leftSocket(this.record), undefined);
    if (taken.got === "socket") {
      endListening(taken.fd);
      closeSocket(taken.fd);
    }
    this.file?.remove();
  }

  /** The socket of a pool that the config no longer has: its workers have left, so it ends here. */
  closeUnused(inUse: readonly Address[]): void {
    if (!("fd" in this.copy)) return;
    closeSocket(this.copy.fd);
    // Opened again since its file was removed: the file there is now is that of the new socket.
    if (inUse.some((address) => this.isOn(address))) return;
    if (this.maker !== "systemd") this.file?.remove();
  }

  /** Lets go of the copy; the workers keep serving. */
  closeCopy(): void {
    if ("fd" in this.copy) closeSocket(this.copy.fd);
  }

  private get maker(): Maker {
    const { maker, address } = this.record;
    return maker === "systemd" ? maker : this.context.inherited.makerOf(address);
  }
}

/**
 * The pool's socket as it is still open somewhere: systemd's copy, which outlives even the last worker
 * and needs no right to look into one, else the copy taken from the workers; null when there is neither.
 */
export function keptSocket(
  context: RecoveryContext,
  pool: PoolConfig,
  left: LeftOver | undefined,
): Listener | null {
  const copy = left !== undefined && "fd" in left.copy ? left.copy.fd : null;
  const handed = handedOver(context, pool);
  if (handed !== null && copy !== null) closeSocket(copy);
  if (handed !== null || copy === null) return handed;
  const maker = context.inherited.makerOf(boundAddress(pool.listen.address));
  return Listener.adopt(pool, copy, maker, (fault) =>
    context.emit({ type: "trouble", fault: fault.toJSON() }),
  );
}

function workersOf(context: RecoveryContext, record: PoolRecord): LeftOverContext {
  const { name, address, inode } = record;
  return {
    pool: { name, stopSignal: record.stop_signal, drainTimeoutMs: record.drain_timeout_ms },
    runtime: runtimeNamed(record),
    ...leftSocket(record),
    listener: { address, inode: Number(inode) },
    scoreboard: context.scoreboard,
    emit: context.emit,
  };
}

function runtimeNamed({ runtime }: PoolRecord): Runtime {
  return RUNTIMES.find(({ name }) => name === runtime) ?? generic;
}

function leftSocket(record: PoolRecord): LeftSocket {
  const { inode, command, uid, groups } = record;
  const ids = groups.map(({ pid, start_time }) => ({ pid, startTime: start_time }));
  return { inode, command, uid, groups: ids, ...leftNames(runtimeNamed(record)) };
}

/** Of every generation there is. */
export function ownGroups({ pools }: RecoveryContext): Set<number> {
  const generations = [...pools.values()].flatMap((pool) => [pool.current, ...pool.leaving]);
  return new Set(generations.flatMap(({ all }) => all.map(({ leader }) => leader.pid)));
}
