// Opening a listening socket, told as a story: a Unix path is cleared of a stale socket file (found
// by connecting, never by guessing), the socket is bound, and a taken address names its holder.

import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "../fault.ts";
import { escapeControls } from "../log/escape.ts";
import { type Address, addressText, isDualStack } from "../sys/socket/address.ts";
import { ipv4Bytes, ipv6Bytes } from "../sys/socket/ip.ts";
import { notASocket } from "../sys/machine/machine.ts";
import { SysError } from "../sys/libc.ts";
import { holderOf, listeningInodes, listeningUnixInodes } from "../sys/proc/proc-sockets.ts";
import { bindSocket } from "../sys/socket/socket.ts";
import { removeSocket } from "../sys/socket/socket-file.ts";
import { probeUnix } from "../sys/socket/unix-connect.ts";
import { isUnixListening } from "../sys/socket/unix-listening.ts";

/** Binds the address and returns the descriptor, not yet listening. Throws a Fault saying why not. */
export function openSocket(address: Address): number {
  if (address.kind === "unix") clearPath(address.path);
  try {
    return bindSocket(address);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    throw bindFault(address, error);
  }
}

function clearPath(path: string): void {
  const stat = allowed(path, () => lstatSync(path, { throwIfNoEntry: false }));
  if (stat === undefined) return;
  if (!stat.isSocket()) throw notASocket(path);
  // Asked of the kernel first: a program may not survive a connection that closes at once. Connecting
  // is for a listener in another network namespace, which the kernel's list does not show.
  if (isUnixListening(path) || probeUnix(path) === "accepts")
    throw takenFault({ kind: "unix", path });
  allowed(path, () => removeSocket(path));
}

function allowed<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new Fault("no permission to open the listening socket", {
      where: path,
      hint: `let the supervisor's user enter ${dirname(path)} and write in it, or choose another path`,
      cause: error,
    });
  }
}

function bindFault(address: Address, error: SysError): Fault {
  const where = addressText(address);
  switch (error.code) {
    case "EADDRINUSE":
      return takenFault(address);
    case "EADDRNOTAVAIL":
      return new Fault("this machine has no such address", {
        where,
        hint: "`ip addr` lists the addresses there are",
        cause: error,
      });
    case "EAFNOSUPPORT":
      return new Fault(`there are no ${FAMILY[address.kind]} sockets here`, {
        where,
        hint:
          address.kind === "inet6"
            ? "listen on an IPv4 address, or on a port alone: that is on all addresses there are; under systemd, RestrictAddressFamilies can keep IPv6 away"
            : "under systemd, name the family in RestrictAddressFamilies",
        cause: error,
      });
    case "EACCES":
    case "EPERM":
      return new Fault("no permission to open the listening socket", {
        where,
        hint:
          address.kind === "unix"
            ? `make ${dirname(address.path)} writable for the supervisor, or choose another path`
            : "ports below 1024 need root or CAP_NET_BIND_SERVICE; `fcgivisor service systemd` gives it to a unit whose config has such a port: print it again",
        cause: error,
      });
    case "ENOENT":
    case "ENOTDIR":
      return new Fault("the directory of the listening socket does not exist", {
        where,
        hint: `create ${address.kind === "unix" ? dirname(address.path) : where}`,
        cause: error,
      });
    default:
      return new Fault("cannot open the listening socket", { where, cause: error });
  }
}

const FAMILY = { inet: "IPv4", inet6: "IPv6", unix: "Unix" } as const;

function takenFault(address: Address): Fault {
  const holder = holderOf(new Set(inodesOn(address)));
  return new Fault(
    holder === null
      ? "the address is already in use, by a process this user cannot see"
      : `the address is already in use by process ${holder.pid} (${escapeControls(holder.command)})`,
    {
      where: addressText(address),
      hint:
        holder === null
          ? "run as root to be told which process holds it, or choose another address"
          : "stop that process, or choose another address; to take its place without a gap, be it what an earlier supervisor left or a php-fpm, start with --takeover",
    },
  );
}

/** The fault of opening this address while somebody listens there already; null when nobody does. */
export function listenerInTheWay(address: Address): Fault | null {
  const taken =
    address.kind === "unix" ? isUnixListening(address.path) : inodesOn(address).length > 0;
  return taken ? takenFault(address) : null;
}

/** Inodes of sockets that can stand in this address's way: the same port on the same or on all addresses. */
export function inodesOn(address: Address): string[] {
  switch (address.kind) {
    case "unix":
      return listeningUnixInodes(address.path);
    case "inet": {
      const own = hexOf(ipv4Bytes(address.host)!);
      const any = "00000000";
      return [
        ...listeningInodes(samePort(address.port, [own, any], own === any), "tcp"),
        // One of both families is among those of IPv6.
        ...listeningInodes(samePort(address.port, [ANY_IPV6], false), "tcp6"),
      ];
    }
    case "inet6": {
      const own = hexOf(ipv6Bytes(address.host)!);
      const both = isDualStack(address);
      return [
        ...listeningInodes(samePort(address.port, [own, ANY_IPV6], own === ANY_IPV6), "tcp6"),
        ...(both ? listeningInodes(samePort(address.port, [], true), "tcp") : []),
      ];
    }
  }
}

const ANY_IPV6 = "0".repeat(32);

function samePort(port: number, hosts: readonly string[], all: boolean) {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return (local: string): boolean => {
    const [host, localPort] = local.split(":");
    return localPort === hex && (all || hosts.includes(host!));
  };
}

/** An address as /proc/net/tcp writes it: 32 bit words in the byte order of the machine (little-endian). */
function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (let i = 3; i >= 0; i--)
      text += bytes[word + i]!.toString(16).toUpperCase().padStart(2, "0");
  }
  return text;
}
