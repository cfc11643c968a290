// The options of a listening TCP socket that decide whom the kernel lets through to it, or that every connection
// accepted from it inherits (tcp(7), ip(7), socket(7)): whoever holds the socket may set them, without any right.
// They are read, compared with those of a socket that nobody has touched, and put back.

import { libc, ptr } from "../libc.ts";

const [SOCKET, TCP, IP, IPV6] = [1, 6, 0, 41];

interface Row {
  readonly name: string;
  readonly level: number;
  readonly option: number;
  /** What to set for a value that was read, where that is another number. */
  readonly setting?: (read: Uint8Array) => Uint8Array;
  /** Setting it sets another one, too. */
  readonly sets?: string;
}

/** The kernel doubles what it is given, and tells the double. */
const half = (read: Uint8Array) => int32(new DataView(read.buffer).getInt32(0, true) / 2);
/** "None" is told as a number that stands for it. */
const none = () => int32(0);

/** Numbers are those of linux/socket.h, tcp.h, in.h and in6.h, the same on x64 and arm64. */
const ROWS: readonly Row[] = [
  // Connections that close lose what is not sent yet.
  { name: "SO_LINGER", level: SOCKET, option: 13 },
  // Answers are cut, or crawl.
  { name: "SO_SNDTIMEO", level: SOCKET, option: 21 },
  { name: "SO_SNDBUF", level: SOCKET, option: 7, setting: half, sets: "SO_BUF_LOCK" },
  { name: "SO_RCVBUF", level: SOCKET, option: 8, setting: half, sets: "SO_BUF_LOCK" },
  { name: "SO_BUF_LOCK", level: SOCKET, option: 72 },
  { name: "SO_RCVLOWAT", level: SOCKET, option: 18 },
  { name: "SO_MAX_PACING_RATE", level: SOCKET, option: 47 },
  { name: "TCP_CORK", level: TCP, option: 3 },
  { name: "TCP_MAXSEG", level: TCP, option: 2, setting: none },
  { name: "TCP_WINDOW_CLAMP", level: TCP, option: 10 },
  { name: "TCP_USER_TIMEOUT", level: TCP, option: 18 },
  { name: "TCP_TX_DELAY", level: TCP, option: 37 },
  // A silent client holds a worker.
  { name: "TCP_DEFER_ACCEPT", level: TCP, option: 9 },
  // Clients on other machines, or all of them, are not heard, or do not hear.
  { name: "SO_DONTROUTE", level: SOCKET, option: 5 },
  { name: "SO_BINDTODEVICE", level: SOCKET, option: 25 },
  { name: "IP_TTL", level: IP, option: 2 },
  { name: "IP_MINTTL", level: IP, option: 21 },
  { name: "IPV6_UNICAST_HOPS", level: IPV6, option: 16 },
  { name: "IPV6_MINHOPCOUNT", level: IPV6, option: 73 },
];

/** Bytes; none of them is longer. */
const LONGEST = 16;

/** The value of each by its name; of one that the kernel or the family does not have there is none. */
export type SocketOptions = ReadonlyMap<string, Uint8Array>;

export function optionsOf(fd: number): SocketOptions {
  const read = ROWS.map((row) => [row.name, valueOf(fd, row)] as const);
  return new Map(read.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

/** Names of those that are not as wanted. */
export function otherOptions(fd: number, wanted: SocketOptions): string[] {
  return ROWS.filter((row) => !isAsWanted(fd, row, wanted)).map(({ name }) => name);
}

/** Puts this one back; false when the kernel does not let it be as it was. */
export function putBack(fd: number, name: string, wanted: SocketOptions): boolean {
  const row = ROWS.find((each) => each.name === name)!;
  const value = wanted.get(name)!;
  const set = row.setting?.(value) ?? value;
  // An empty value, too, has to have an address.
  const from = set.length === 0 ? new Uint8Array(1) : set;
  libc.setsockopt(fd, row.level, row.option, ptr(from), set.length);
  if (row.sets !== undefined && wanted.has(row.sets)) putBack(fd, row.sets, wanted);
  return isAsWanted(fd, row, wanted);
}

function isAsWanted(fd: number, row: Row, wanted: SocketOptions): boolean {
  const value = wanted.get(row.name);
  const length = value === undefined ? null : read(fd, row);
  if (value === undefined || length === null) return true;
  return length === value.length && value.every((byte, i) => byte === place[i]);
}

function valueOf(fd: number, row: Row): Uint8Array | null {
  const length = read(fd, row);
  return length === null ? null : place.slice(0, length);
}

/** Where the kernel writes a value and its length; made once, because this is done again and again. */
const place = new Uint8Array(LONGEST);
const size = new Uint32Array(1);

/** Reads it into `place`; how many bytes it has, null: there is none. */
function read(fd: number, { level, option }: Row): number | null {
  size[0] = LONGEST;
  return libc.getsockopt(fd, level, option, ptr(place), ptr(size)) === 0 ? size[0] : null;
}

function int32(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer);
}
