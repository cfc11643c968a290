// A Listener owns one bound socket (and the file of a Unix one), apart from any worker. It lives
// across reloads; what may change under it (backlog, owner, mode, allowed clients) is applied in
// place, because a socket that is closed and opened again refuses somebody in between.

import { fstatSync } from "node:fs";
import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { type Address, addressText } from "../sys/socket/address.ts";
import { SysError } from "../sys/libc.ts";
import { neededGroup, neededUser } from "../sys/machine/machine.ts";
import { maxBacklog } from "../sys/proc/procfs.ts";
import {
  attachFilter,
  type BpfInstruction,
  clearAcceptTimeout,
  closeSocket,
  deferAccept,
  endListening,
  hasFilter,
  isAccepting,
  isBlocking,
  listenOn,
  makeBlocking,
  replaceDescriptor,
  tcpQueue,
} from "../sys/socket/socket.ts";
import type { AccessList } from "../sys/socket/access-list.ts";
import { replacedFault, SocketFile } from "../sys/socket/socket-file.ts";
import { unixQueue } from "../sys/socket/unix-diag.ts";
import { boundAddress } from "./bound.ts";
import { filterProgram } from "./filter.ts";
import { type IpBlock, parseIpBlock } from "../sys/socket/ip.ts";
import { openSocket } from "./open.ts";
import { flawsOf, type Wanted } from "./shared-state.ts";

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
  readonly maker: Maker;
  /** null: it has none, or what stood at its path when it was taken on is not its own. */
  private file: SocketFile | null;
  private currentInode: number;
  /** How many connections may wait, as the kernel tells; null = it does not. */
  private limit: number | null = null;
  private inForce: ListenSpec;
  private open = true;

  private constructor(spec: ListenSpec, fd: number, maker: Maker) {
    this.inForce = spec;
    this.address = boundAddress(spec.listen.address);
    this.fd = fd;
    this.maker = maker;
    this.currentInode = fstatSync(fd).ino;
    this.file = this.ownFile();
  }

  /** Opens the socket, sets it up, and only then listens. Throws a Fault; then nothing is left open. */
  static open(spec: ListenSpec): Listener {
    const listener = new Listener(spec, openSocket(boundAddress(spec.listen.address)), "fcgivisor");
    try {
      listener.setFile(spec);
      listener.setFilter(spec);
      if (listener.address.kind !== "unix") deferAccept(listener.fd);
      listener.listen(spec);
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
    clearAcceptTimeout(fd);
    listener.listen(spec);
    return listener;
  }

  get name(): string {
    return addressText(this.address);
  }

  /** Of the socket; another one when it had to be opened again. */
  get inode(): number {
    return this.currentInode;
  }

  /** Whether clients can be accepted from it now: it listens, and accept(2) waits. */
  get accepts(): boolean {
    return this.open && isAccepting(this.fd) && isBlocking(this.fd);
  }

  /**
   * Sets right what a holder of the socket has changed on it, and opens it again where that is the only
   * way; returns how it was found. Throws a Fault when it cannot be opened again.
   */
  heal(): { readonly was: readonly string[]; readonly isAnother: boolean } {
    const before = this.inode;
    const flaws = this.open ? flawsOf(this.fd, this.wanted) : [];
    for (const { heal } of flaws) heal();
    return { was: flaws.map(({ was }) => was), isAnother: this.inode !== before };
  }

  private get wanted(): Wanted {
    return {
      filter: this.filter(this.inForce),
      attach: () => this.filterAgain(),
      limit: this.limit,
      limitNow: () => this.queue()?.limit ?? null,
      listen: () => this.listenAgain(),
    };
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

  private ownFile(): SocketFile | null {
    const { address } = this;
    return address.kind === "unix" ? SocketFile.of(address.path, this.currentInode) : null;
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
    const silent =
      listen.owner === null && listen.group === null && listen.mode === null && !hasList(listen);
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
      this.file.change(listen.mode ?? DEFAULT_MODE, given, this.listFor(listen));
    } catch (error) {
      if (error instanceof Fault) throw error;
      if (error instanceof SysError && error.call === "setxattr") throw noList(path, error);
      throw new Fault("cannot set owner and mode of the listening socket", {
        where: path,
        hint: "only root may give a socket to another user: run as root, or leave out owner and group",
        cause: error,
      });
    }
  }

  /** A list that was there before anybody asked for one, as the folder's default brings it, is left alone. */
  private listFor(listen: ListenSpec["listen"]): AccessList | null | undefined {
    if (!hasList(listen)) return hasList(this.inForce.listen) ? null : undefined;
    const { path } = this.file!;
    return {
      users: listen.aclUsers.map((name) => neededUser(name, path).uid),
      groups: listen.aclGroups.map((name) => neededGroup(name, path)),
    };
  }

  private setFilter(spec: ListenSpec): void {
    if (spec.listen.address.kind !== "unix") attachFilter(this.fd, this.filter(spec));
  }

  private filter({ allowedClients }: ListenSpec): BpfInstruction[] | null {
    if (this.address.kind === "unix" || allowedClients.length === 0) return null;
    return filterProgram(
      allowedClients.map((text) => parseIpBlock(text) ?? badBlock(text, this.name)),
    );
  }

  private listen(spec: ListenSpec): void {
    listenOn(this.fd, backlogOf(spec));
    this.limit = this.queue()?.limit ?? null;
  }

  /** A Unix socket that was shut down never accepts again; one of TCP can be told to listen once more. */
  private listenAgain(): void {
    if (this.address.kind === "unix" && !isAccepting(this.fd)) this.reopen();
    else this.listen(this.inForce);
  }

  /** A filter can be locked for good (SO_LOCK_FILTER). */
  private filterAgain(): void {
    const filter = this.filter(this.inForce);
    try {
      attachFilter(this.fd, filter);
    } catch {
      // EPERM: so it is.
    }
    if (!hasFilter(this.fd, filter)) this.reopen();
  }

  /** Another socket in its place; who waits in the queue of the old one is refused. */
  private reopen(): void {
    endListening(this.fd);
    this.file?.remove();
    replaceDescriptor(this.fd, openSocket(this.address));
    this.currentInode = fstatSync(this.fd).ino;
    this.file = this.ownFile();
    if (this.address.kind !== "unix") deferAccept(this.fd);
    this.setFile(this.inForce);
    this.setFilter(this.inForce);
    this.listen(this.inForce);
  }
}

function backlogOf({ listen }: ListenSpec): number {
  return listen.backlog < 0 ? maxBacklog() : listen.backlog;
}

function fileText({ listen }: ListenSpec): string {
  const mode = (listen.mode ?? DEFAULT_MODE).toString(8).padStart(4, "0");
  const others = [...listen.aclUsers, ...listen.aclGroups.map((name) => `group ${name}`)];
  const list = others.length === 0 ? "" : `, and may connect: ${others.join(", ")}`;
  return `owner ${listen.owner ?? "-"}, group ${listen.group ?? "-"}, mode ${mode}${list}`;
}

function hasList({ aclUsers, aclGroups }: ListenSpec["listen"]): boolean {
  return aclUsers.length + aclGroups.length > 0;
}

function noList(path: string, cause: SysError): Fault {
  const hint =
    cause.code === "EOPNOTSUPP"
      ? "its file system has none (a tmpfs or ext4 mounted without them): choose another folder, or leave out acl_users and acl_groups"
      : "only the socket's owner and root may change it: leave out acl_users and acl_groups, or run as root";
  return new Fault("the listening socket cannot have an access list", { where: path, hint, cause });
}

function badBlock(text: string, where: string): IpBlock {
  throw new Fault(`"${text}" is neither an IP address nor a CIDR block`, {
    where,
    hint: 'example: allowed_clients = ["127.0.0.1", "10.0.0.0/8", "::1"]',
  });
}
