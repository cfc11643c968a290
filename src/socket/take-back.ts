// Getting a listening socket back out of a living worker, so that a new supervisor goes on with the
// very socket that clients are connected to and wait on.

import { fstatSync } from "node:fs";
import { type Address, sameAddress } from "../sys/socket/address.ts";
import { copyDescriptor } from "../sys/exec/handover.ts";
import { takeDescriptor } from "../sys/pidfd.ts";
import { SocketHolders } from "../sys/proc/proc-sockets.ts";
import type { ProcessStat } from "../sys/proc/procfs.ts";
import { closeSocket, listeningAddress } from "../sys/socket/socket.ts";
import { SocketFile } from "../sys/socket/socket-file.ts";
import { holdersOf, type LeftSocket } from "./holders.ts";

export type TakeBack =
  | { readonly got: "socket"; readonly fd: number; readonly holders: readonly ProcessStat[] }
  /** Nobody serves on it any more. */
  | { readonly got: "nobody" }
  /** Its workers live, but the socket cannot be had, or is of no use. */
  | {
      readonly got: "refused";
      readonly why: string;
      /** Whether the address is taken as long as they live. */
      readonly blocks: boolean;
      readonly holders: readonly ProcessStat[];
    };

/**
 * Looks for workers on the socket, and takes a copy of it from one of them; `handed` is the socket
 * itself, when an upgrade has handed it over.
 */
export function takeBack(
  address: Address,
  left: LeftSocket,
  handed: number | undefined,
  look = new SocketHolders(),
): TakeBack {
  const holders = holdersOf(left, look);
  if (handed !== undefined) return { got: "socket", fd: copyDescriptor(handed), holders };
  if (holders.length === 0) return { got: "nobody" };
  if (address.kind === "unix" && SocketFile.of(address.path, Number(left.inode)) === null) {
    return {
      got: "refused",
      why: `the socket file ${address.path} is gone or was replaced, so no client can reach it`,
      blocks: false,
      holders,
    };
  }
  for (const holder of holders) {
    const fd = takeDescriptor(holder.pid, holder.fd);
    if (fd === null) continue;
    if (isSocket(fd, address, left)) return { got: "socket", fd, holders };
    closeSocket(fd);
  }
  const why = "the kernel does not let us take it out of its workers";
  return { got: "refused", why, blocks: true, holders };
}

/** A worker may have another socket there by now, and even one of the same address. */
function isSocket(fd: number, address: Address, { inode }: LeftSocket): boolean {
  const bound = listeningAddress(fd);
  return String(fstatSync(fd).ino) === inode && bound !== null && sameAddress(bound, address);
}
