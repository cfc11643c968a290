// The sockets that systemd hands over at the start: those of socket units, which a pool names with
// listen = "systemd:NAME", and our own ones out of its descriptor store, which are known again by
// their address. From here on both are addresses like any other.

import { lstatSync } from "node:fs";
import type { Loaded } from "../config/load.ts";
import { Fault } from "../fault.ts";
import { type Address, addressText, sameAddress } from "../sys/socket/address.ts";
import { type HandedDescriptor, receiveDescriptors } from "../sys/socket/listen-fds.ts";
import { closeSocket, listeningAddress } from "../sys/socket/socket.ts";
import { addressHere, boundAddress, withAddresses } from "./bound.ts";
import type { Listener, Maker } from "./listener.ts";

interface Socket {
  readonly fd: number;
  readonly name: string;
  readonly address: Address;
}

/** Names of units' sockets and their addresses, for the program that this one becomes at an upgrade. */
const NAMES = "FCGIVISOR_LISTEN_NAMES";
const STORED = "fcgivisor@";

type Environment = Record<string, string | undefined>;

export class InheritedSockets {
  /** What nobody has taken yet. */
  private readonly sockets: Set<Socket>;
  /** What was handed over and is of no use. */
  private useless: readonly HandedDescriptor[];
  /** Addresses of units' sockets by name, those of the program before an upgrade too. */
  private readonly named: ReadonlyMap<string, Address>;

  /** Takes over what `env` says was handed to this process. */
  constructor(env: Environment, pid: number) {
    const handed = receiveDescriptors(env, pid);
    this.sockets = new Set(handed.map(socketOf).filter((socket) => socket !== null));
    this.useless = handed.filter(({ fd }) => ![...this.sockets].some((each) => each.fd === fd));
    for (const { fd } of this.useless) closeSocket(fd);
    const named = new Map<string, Address>(rememberedNames(env));
    for (const { name, address } of this.sockets)
      if (!name.startsWith(STORED) && !named.has(name)) named.set(name, address);
    this.named = named;
    if (named.size > 0) env[NAMES] = JSON.stringify([...named]);
  }

  /** The config with addresses in place of names. Throws the Fault for a name that was not handed over. */
  resolve(loaded: Loaded): Loaded {
    const { named } = this;
    const config = withAddresses(loaded.config, (address) =>
      address.kind === "systemd"
        ? (named.get(address.name) ?? boundAddress(address))
        : addressHere(address),
    );
    return { ...loaded, config };
  }

  /** Whether the socket of this address was handed over and nobody has it yet. */
  has(address: Address): boolean {
    return this.find(address) !== undefined;
  }

  /** The socket of this address, once; null when there is none (any more). */
  take(address: Address): number | null {
    const socket = this.find(address);
    if (socket === undefined) return null;
    this.sockets.delete(socket);
    return socket.fd;
  }

  makerOf(address: Address): Maker {
    const isNamed = [...this.named.values()].some((other) => sameAddress(other, address));
    return isNamed ? "systemd" : "fcgivisor";
  }

  /** Keeps a socket that a pool has no more use for. */
  giveBack({ fd, name, address }: Listener): void {
    this.sockets.add({ fd, name, address });
  }

  /** Closes what nobody took; returns what is to be said about that. */
  closeRest(): readonly Fault[] {
    const rest = [...this.sockets];
    this.sockets.clear();
    for (const { fd } of rest) closeSocket(fd);
    const { useless } = this;
    this.useless = [];
    return [...useless.map(uselessWarning), ...rest.flatMap(unusedWarning)];
  }

  private find(address: Address): Socket | undefined {
    return [...this.sockets].find((socket) => sameAddress(socket.address, address));
  }
}

/** The name under which a socket of ours is put into systemd's store: no colon, printable (sd_pid_notify_with_fds(3)). */
export function storeName(address: string): string {
  const text = address.replaceAll(/[^!-$&-9;-~]/gu, (c) => encodeURIComponent(c));
  return `${STORED}${text}`.slice(0, 255);
}

function socketOf({ fd, name }: HandedDescriptor): Socket | null {
  const address = listeningAddress(fd);
  if (address === null || !hasFile(address)) return null;
  return { fd, name, address };
}

/** A Unix socket whose file is gone can be reached by nobody. */
function hasFile(address: Address): boolean {
  if (address.kind !== "unix") return true;
  return lstatSync(address.path, { throwIfNoEntry: false })?.isSocket() === true;
}

function rememberedNames(env: Environment): [string, Address][] {
  const text = env[NAMES];
  return text === undefined ? [] : (JSON.parse(text) as [string, Address][]);
}

function uselessWarning({ name, fd }: HandedDescriptor): Fault {
  return new Fault(
    `descriptor ${fd} ("${name}"), handed over by systemd, is no stream socket that listens and can be reached; it was closed`,
    { hint: "a socket unit for a pool has ListenStream= and Accept=no" },
  );
}

/** One of ours was left by an earlier config, which is nobody's mistake. */
function unusedWarning({ name, address }: Socket): Fault[] {
  if (name.startsWith(STORED)) return [];
  return [
    new Fault(
      `the socket "${name}" (${addressText(address)}), handed over by systemd, is used by no pool; it was closed`,
      { hint: `name it in a pool: listen = "systemd:${name}"` },
    ),
  ];
}
