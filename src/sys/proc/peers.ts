// Who is at the other end of a process's descriptors: the address of a connection, out of the kernel's tables
// of the network that the process is in, or the file.

import { readlinkSync } from "node:fs";
import { ipv6Text } from "../socket/ip.ts";
import { unixPeer } from "../socket/unix-diag.ts";
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

function addressOf(pid: number, inode: string): string | null {
  for (const table of TABLES) {
    const text = readText(`/proc/${pid}/net/${table}`, TABLE_MOST) ?? "";
    // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
    const row = new RegExp(
      `^ *\\d+: \\S+ ([0-9A-F]+):([0-9A-F]{4}) (?:\\S+ +){6}${inode} `,
      "m",
    ).exec(text);
    if (row !== null) return addressText(row[1]!, Number.parseInt(row[2]!, 16));
  }
  return unixPath(pid, Number(inode));
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
  const text = readText(`/proc/${pid}/net/unix`, TABLE_MOST) ?? "";
  const path = new RegExp(`^(?:\\S+ +){6}${peer} (.+)$`, "m").exec(text)?.[1];
  return path === undefined ? null : Buffer.from(path, "latin1").toString();
}
