// Who is at the other end of a process's descriptors: the address of a connection, out of the kernel's tables
// of the network that the process is in, or the file.

import { readlinkSync } from "node:fs";
import { ipv6Text } from "../socket/ip.ts";
import { unixPeer } from "../socket/unix-diag.ts";
import { now } from "../clock.ts";
import { asOwnerOf } from "./eyes.ts";
import { readText, TABLE_MOST } from "./proc-file.ts";

export type OtherEnd =
  /** `10.0.0.5:3306`, or the path of a Unix socket; null: the kernel does not say. */
  | { readonly is: "socket"; readonly inode: string; readonly address: string | null }
  | { readonly is: "pipe" }
  | { readonly is: "file"; readonly path: string };

/** What a descriptor leads to; null when it cannot be seen. */
export function otherEnd(pid: number, fd: number): OtherEnd | null {
  let link: string;
  try {
    link = asOwnerOf(pid, () => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return null;
  }
  if (link.startsWith("pipe:")) return { is: "pipe" };
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode === undefined) return { is: "file", path: link };
  return { is: "socket", inode, address: addressOf(pid, inode) };
}

const TABLES = ["tcp", "tcp6", "udp", "udp6"] as const;
/** The kernel takes long to write a table of a busy machine: several workers that are looked at together share it. */
const SHARED_MS = 50;

function addressOf(pid: number, inode: string): string | null {
  const since = now();
  // What others have read may be older than the connection.
  for (const oldest of [since - SHARED_MS, since])
    for (const table of TABLES) {
      const row = rowOf(tableOf(pid, table, oldest), inode);
      if (row !== null) return addressText(row.address, row.port);
    }
  return unixPath(pid, Number(inode));
}

interface Shared {
  readonly key: string;
  readonly at: number;
  readonly text: string;
}

/** By the table's name, as it was read last. */
const shared = new Map<string, Shared>();

/** As it was no earlier than `oldest`. */
function tableOf(pid: number, table: string, oldest: number): string {
  const key = networkOf(pid);
  const known = shared.get(table);
  if (key !== null && known?.key === key && known.at >= oldest) return known.text;
  const at = now();
  const text = asOwnerOf(pid, () => readText(`/proc/${pid}/net/${table}`, TABLE_MOST)) ?? "";
  if (key !== null) shared.set(table, { key, at, text });
  return text;
}

/** Processes of one network see the same tables; null: not told. */
function networkOf(pid: number): string | null {
  try {
    return asOwnerOf(pid, () => readlinkSync(`/proc/${pid}/ns/net`));
  } catch {
    return null;
  }
}

/** Where the row of a socket says that its other end is. */
function rowOf(text: string, inode: string): { address: string; port: number } | null {
  for (let at = text.indexOf(` ${inode} `); at >= 0; at = text.indexOf(` ${inode} `, at + 1)) {
    const line = text.slice(text.lastIndexOf("\n", at) + 1, text.indexOf("\n", at));
    // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
    const [, , remote = "", , , , , , , of] = line.trim().split(/ +/);
    const match = /^([0-9A-F]+):([0-9A-F]{4})$/.exec(remote);
    if (of === inode && match !== null)
      return { address: match[1]!, port: Number.parseInt(match[2]!, 16) };
  }
  return null;
}

/** Words of four bytes, each in the byte order of the machine; port 0 is nobody. */
function addressText(hex: string, port: number): string | null {
  if (port === 0) return null;
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = Uint8Array.from(
    words.flatMap((word) =>
      word
        .match(/../g)!
        .map((byte) => Number.parseInt(byte, 16))
        .reverse(),
    ),
  );
  if (bytes.length === 4) return `${bytes.join(".")}:${port}`;
  const isMapped = bytes.subarray(0, 12).toHex() === "00000000000000000000ffff";
  return isMapped ? `${bytes.subarray(12).join(".")}:${port}` : `[${ipv6Text(bytes)}]:${port}`;
}

/** The path that either end of a Unix connection is bound to: mostly that of who accepted it. */
function unixPath(pid: number, inode: number): string | null {
  const peer = unixPeer(inode);
  if (peer === null) return null;
  const text = asOwnerOf(pid, () => readText(`/proc/${pid}/net/unix`, TABLE_MOST)) ?? "";
  const path = new RegExp(`^(?:\\S+ +){6}${peer} (.+)$`, "m").exec(text)?.[1];
  return path === undefined ? null : Buffer.from(path, "latin1").toString();
}
