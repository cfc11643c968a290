// A Listener owns one bound socket (and the file of a Unix one), apart from any worker. It lives
// across reloads; what may change under it (backlog, owner, mode, allowed clients) is applied in
// place, because a socket that is closed and opened again refuses somebody in between.

import { fstatSync } from "node:fs";
import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { type Address, addressText } from "../sys/address.ts";
import { neededGroup, neededUser } from "../sys/machine.ts";
import { maxBacklog } from "../sys/procfs.ts";
import {
  attachFilter,
  closeSocket,
  endListening,
  deferAccept,
  listenOn,
  makeBlocking,
  tcpQueue,
} from "../sys/socket.ts";
import { replacedFault, SocketFile } from "../sys/socket-file.ts";
import { unixQueue } from "../sys/unix-diag.ts";
import { boundAddress } from "./bound.ts";
import { filterProgram } from "./filter.ts";
import { type IpBlock, parseIpBlock } from "../sys/ip.ts";
import { openSocket } from "./open.ts";

/** What a pool's config says of its socket. */
export type ListenSpec = Pick<PoolConfig, "listen" | "allowedClients">;

/** What php-fpm uses where listen.mode says nothing. */
const DEFAULT_MODE = 0o660;

/** Who made the socket, and so removes its file. */
export type Maker = "fcgivisor" | "systemd";

export interface QueueDepth {
  /** Connections that wait for a worker. */
  readonly length: number;
  /** How many may wait. */
  readonly limit: number;
}

export class Listener {
  readonly address: Address;
  readonly fd: number;
  readonly inode: number;
  readonly maker: Maker;
  /** null: it has none, or what stood at its path when it was taken on is not its own. */
  private readonly file: SocketFile | null;
  private inForce: ListenSpec;
  private open = true;

  private constructor(spec: ListenSpec, fd: number, maker: Maker) {
    this.inForce = spec;
    this.address = boundAddress(spec.listen.address);
    this.fd = fd;
    this.maker = maker;
    this.inode = fstatSync(fd).ino;
    const { address } = this;
    this.file = address.kind === "unix" ? SocketFile.of(address.path, this.inode) : null;
  }

  /** Opens the socket, sets it up, and only then listens. Throws a Fault; then nothing is left open. */
  static open(spec: ListenSpec): Listener {
    const listener = new Listener(spec, openSocket(boundAddress(spec.listen.address)), "fcgivisor");
    try {
      listener.setFile(spec);
      listener.setFilter(spec);
      if (listener.address.kind !== "unix") deferAccept(listener.fd);
      listenOn(listener.fd, backlogOf(spec));
      return listener;
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  /**
   * Takes on a socket that listens already, out of a living worker or from systemd, and sets it up
   * as the spec says. It stays open when that fails. A file that is no longer its own is left as it is,
   * and `tell` hears of it: the service goes on.
   */
  static adopt(spec: ListenSpec, fd: number, maker: Maker, tell: (fault: Fault) => void): Listener {
    const listener = new Listener(spec, fd, maker);
    makeBlocking(fd);
    const { address, file } = listener;
    if (address.kind === "unix" && file === null) tell(replacedFault(address.path));
    else listener.setFile(spec);
    listener.setFilter(spec);
    listenOn(fd, backlogOf(spec));
    return listener;
  }

  get name(): string {
    return addressText(this.address);
  }

  /** False when it was closed or passed on: its number may be another descriptor by now. */
  get isOpen(): boolean {
    return this.open;
  }

  /** What the socket is set up for now. */
  get spec(): ListenSpec {
    return this.inForce;
  }

  /** Applies what differs from the spec in force; returns a word for each change. */
  change(next: ListenSpec): string[] {
    const [was, is] = [this.inForce, next];
    const changes: string[] = [];
    // First what can be refused.
    if (fileText(was) !== fileText(is)) {
      this.setFile(is);
      changes.push(fileText(is));
    }
    if (backlogOf(was) !== backlogOf(is)) {
      listenOn(this.fd, backlogOf(is));
      changes.push(`backlog ${backlogOf(is)}`);
    }
    if (was.allowedClients.join() !== is.allowedClients.join()) {
      this.setFilter(is);
      changes.push(`allowed clients ${is.allowedClients.join(", ") || "all"}`);
    }
    this.inForce = next;
    return changes;
  }

  queue(): QueueDepth | null {
    return this.address.kind === "unix" ? unixQueue(this.inode) : tcpQueue(this.fd);
  }

  /**
   * Closes the socket also for whoever else holds it (what a script left in the background, a worker
   * that does not die), so that the address is free. systemd's is systemd's to end.
   */
  end(): void {
    if (!this.open) return;
    if (this.maker !== "systemd") endListening(this.fd);
    this.close();
  }

  /** Closes the socket and removes its file, if that is still the one made here; systemd's file is systemd's to remove. */
  close(): void {
    if (!this.open) return;
    this.abandon();
    if (this.maker !== "systemd") this.file?.remove();
  }

  /** Lets go of the socket without ending it: somebody else still serves on it. */
  abandon(): void {
    if (this.open) closeSocket(this.passOn());
  }

  /** Leaves the descriptor to somebody else, open as it is. */
  passOn(): number {
    this.open = false;
    return this.fd;
  }

  private setFile({ listen }: ListenSpec): void {
    if (listen.address.kind !== "unix") return;
    const silent = listen.owner === null && listen.group === null && listen.mode === null;
    // Its unit has said who may connect; only what the config says on top counts.
    if (this.maker === "systemd" && silent) return;
    const path = listen.address.path;
    const owner = listen.owner === null ? null : neededUser(listen.owner, path);
    const group = listen.group === null ? null : neededGroup(listen.group, path);
    // As in php-fpm, an owner alone brings its primary group along.
    const given =
      owner === null && group === null
        ? null
        : { uid: owner?.uid ?? process.getuid!(), gid: group ?? owner!.gid };
    if (this.file === null) throw replacedFault(path);
    try {
      this.file.change(listen.mode ?? DEFAULT_MODE, given);
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw new Fault("cannot set owner and mode of the listening socket", {
        where: path,
        hint: "only root may give a socket to another user: run as root, or leave out owner and group",
        cause: error,
      });
    }
  }

  private setFilter({ listen, allowedClients }: ListenSpec): void {
    if (listen.address.kind === "unix") return;
    if (allowedClients.length === 0) return attachFilter(this.fd, null);
    const blocks = allowedClients.map((text) => parseIpBlock(text) ?? badBlock(text, this.name));
    attachFilter(this.fd, filterProgram(blocks));
  }
}

function backlogOf({ listen }: ListenSpec): number {
  return listen.backlog < 0 ? maxBacklog() : listen.backlog;
}

function fileText({ listen }: ListenSpec): string {
  const mode = (listen.mode ?? DEFAULT_MODE).toString(8).padStart(4, "0");
  return `owner ${listen.owner ?? "-"}, group ${listen.group ?? "-"}, mode ${mode}`;
}

function badBlock(text: string, where: string): IpBlock {
  throw new Fault(`"${text}" is neither an IP address nor a CIDR block`, {
    where,
    hint: 'example: allowed_clients = ["127.0.0.1", "10.0.0.0/8", "::1"]',
  });
}
