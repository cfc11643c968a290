// The sockets that were accepted from a listener, by the kernel's tables of all sockets. Such a table is
// read when it is first asked for, and once, for however many workers of however many pools.

import type { Address } from "../sys/socket/address.ts";
import {
  allUnixInodes,
  connectedInodesByPort,
  unixInodesByPath,
} from "../sys/proc/proc-sockets.ts";

type Inodes = readonly string[];

export class AcceptedSockets {
  private readonly known = new Map<Address, ReadonlySet<string>>();
  private unix: ReadonlyMap<string, Inodes> | null = null;
  private anyUnix: ReadonlySet<string> | null = null;
  private readonly anyPort = new Map<"tcp" | "tcp6", ReadonlySet<string>>();
  private readonly tcp = new Map<"tcp" | "tcp6", ReadonlyMap<number, Inodes>>();

  /** Inodes of what was accepted at this address; a Unix listener is among them. */
  at(address: Address): ReadonlySet<string> {
    const inodes = this.known.get(address) ?? new Set(this.inodesAt(address));
    this.known.set(address, inodes);
    return inodes;
  }

  /**
   * Whether it is certainly none that was accepted at this address: a database's, or one of a pair. A
   * connection that its client has reset is in no table any more.
   */
  isOther(inode: string, address: Address): boolean {
    if (this.at(address).has(inode)) return false;
    this.anyUnix ??= allUnixInodes();
    return (
      this.anyUnix.has(inode) || this.anyTcp("tcp").has(inode) || this.anyTcp("tcp6").has(inode)
    );
  }

  private anyTcp(file: "tcp" | "tcp6"): ReadonlySet<string> {
    const table = this.tcp.get(file) ?? connectedInodesByPort(file);
    this.tcp.set(file, table);
    const known = this.anyPort.get(file) ?? new Set([...table.values()].flat());
    this.anyPort.set(file, known);
    return known;
  }

  private inodesAt(address: Address): Inodes {
    switch (address.kind) {
      case "unix":
        return (this.unix ??= unixInodesByPath()).get(address.path) ?? [];
      case "inet":
        return this.tcpAt("tcp", address.port);
      case "inet6":
        return this.tcpAt("tcp6", address.port);
    }
  }

  private tcpAt(file: "tcp" | "tcp6", port: number): Inodes {
    const table = this.tcp.get(file) ?? connectedInodesByPort(file);
    this.tcp.set(file, table);
    return table.get(port) ?? [];
  }
}
