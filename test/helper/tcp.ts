// What the kernel shows of TCP connections on their way to a worker, in /proc/net: who waits in a queue,
// who asks again because nobody answers, and whom it still keeps out.

import { connect } from "node:net";
import type { Spot } from "./pool.ts";
import { listenersAt, readTable, type Where } from "./processes.ts";
import { eventually } from "./wait.ts";

const SYN_SENT = "02";
const SYN_RECV = "03";

interface Connection {
  /** Address and port, in hexadecimal. */
  readonly local: readonly [string, number];
  readonly remotePort: number;
  readonly state: string;
  readonly received: number;
  /** How often what was sent last has been sent again. */
  readonly again: number;
  readonly inode: string;
}

function connections(): Connection[] {
  const hex = (text = "0") => Number.parseInt(text, 16);
  return ["tcp", "tcp6"].flatMap(readTable).map((row) => {
    const [[address = "", port], [, remotePort]] = [row[1]!.split(":"), row[2]!.split(":")];
    return {
      local: [address, hex(port)],
      remotePort: hex(remotePort),
      state: row[3]!,
      received: hex(row[4]!.split(":")[1]),
      again: hex(row[6]),
      inode: row[9]!,
    };
  });
}

/** How many connections wait until they are accepted: on a listening socket, what is received is they. */
export function queueAt(where: Where): number {
  const inodes = listenersAt(where);
  const queues = connections().filter(({ inode }) => inodes.includes(inode));
  return queues.reduce((all, { received }) => all + received, 0);
}

/** What becomes of a client from this address. Who is turned away asks again, and is not answered again. */
export async function fateOf({ where }: Spot, from: string): Promise<"let in" | "turned away"> {
  const { host, port } = where as { host: string; port: number };
  const client = connect({ host, port, localAddress: from });
  let fate: "let in" | null = null;
  client.once("connect", () => (fate = "let in"));
  try {
    return await eventually(() => fate ?? (isAskingAgain(from, port) ? "turned away" : null));
  } finally {
    client.destroy();
  }
}

/** Whether a client from this address has asked once more to be let in at a port. */
function isAskingAgain(from: string, port: number): boolean {
  return connections().some(
    ({ local, remotePort, state, again }) =>
      state === SYN_SENT && again > 0 && remotePort === port && local[0] === inTable(from),
  );
}

/** An IPv4 address, or the loopback address of IPv6, as the tables have it. */
function inTable(address: string): string {
  if (address === "::1") return `${"0".repeat(24)}01000000`;
  const bytes = address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
  return bytes.toReversed().join("").toUpperCase();
}

/** Whether the kernel has a client wait for its first byte before any process sees it. */
export function isKeptOut(clientPort: number, port: number): boolean {
  return connections().some(
    ({ local, remotePort, state }) =>
      state === SYN_RECV && remotePort === clientPort && local[1] === port,
  );
}
