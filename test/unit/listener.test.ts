// What a holder of a listening socket has changed on it is found, and set right on our own copy.

import { dlopen, ptr } from "bun:ffi";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Listener, type ListenSpec } from "../../src/socket/listener.ts";
import type { Address } from "../../src/sys/socket/address.ts";
import {
  attachFilter,
  bindSocket,
  endListening,
  hasFilter,
  listeningAddress,
  listenOn,
} from "../../src/sys/socket/socket.ts";
import { optionsOf } from "../../src/sys/socket/socket-options.ts";

const dir = mkdtempSync(join(tmpdir(), "fv-listener-"));
afterAll(() => rmSync(dir, { recursive: true }));

function specOf(address: Address, allowedClients: string[] = []): ListenSpec {
  return {
    listen: {
      address,
      backlog: 7,
      owner: null,
      group: null,
      mode: null,
      aclUsers: [],
      aclGroups: [],
    },
    allowedClients,
  };
}

const unix = () => Listener.open(specOf({ kind: "unix", path: join(dir, "www.sock") }));
const tcp = (clients?: string[]) =>
  Listener.open(specOf({ kind: "inet", host: "127.0.0.1", port: 0 }, clients));

test("a socket that nobody has touched has nothing to heal", () => {
  for (const open of [unix, tcp, () => tcp(["127.0.0.1", "10.0.0.0/8"])]) {
    const listener = open();
    expect(listener.heal()).toEqual({ was: [], isAnother: false });
    expect(listener.accepts).toBe(true);
    listener.close();
  }
});

test("a Unix socket that was shut down does not accept, and is opened again in the same place", () => {
  const listener = unix();
  const { fd, inode } = listener;
  endListening(fd);
  expect(listener.accepts).toBe(false);
  expect(listener.heal()).toEqual({ was: ["shut down"], isAnother: true });
  expect([listener.accepts, listener.fd]).toEqual([true, fd]);
  expect(listener.inode).not.toBe(inode);
  expect(listener.heal()).toEqual({ was: [], isAnother: false });
  listener.close();
});

test("one of TCP that was shut down listens again", () => {
  const listener = tcp();
  endListening(listener.fd);
  expect(listener.accepts).toBe(false);
  expect(listener.heal()).toEqual({ was: ["shut down"], isAnother: false });
  expect(listener.accepts).toBe(true);
  expect(listener.queue()?.limit).toBe(7);
  listener.close();
});

test("another backlog and another filter are put back", () => {
  const listener = tcp(["127.0.0.1"]);
  listenOn(listener.fd, 1);
  attachFilter(listener.fd, [{ code: 6, jt: 0, jf: 0, k: 0x7fffffff }]);
  expect(listener.heal().was).toEqual(["given a backlog of 1", "without its allowed_clients"]);
  expect(listener.queue()?.limit).toBe(7);
  listener.close();
  const open = tcp();
  attachFilter(open.fd, [{ code: 6, jt: 0, jf: 0, k: 0 }]);
  expect(open.heal().was).toEqual(["given a filter"]);
  expect(hasFilter(open.fd, null)).toBe(true);
  open.close();
});

const { symbols: libc } = dlopen("libc.so.6", {
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
});

const [SOCKET, TCP, IP, IPV6] = [1, 6, 0, 41];

/** As any holder of the socket may do. */
function set(fd: number, level: number, option: number, ...values: number[]): void {
  const place = new Int32Array(values);
  expect(libc.setsockopt(fd, level, option, ptr(place), place.byteLength)).toBe(0);
}

const lockFilter = (fd: number) => set(fd, SOCKET, 44, 1);

/** Level and number of each option (linux/socket.h, tcp.h, in.h, in6.h), and a value that harms. */
const HARM: Readonly<Record<string, readonly [number, number, ...number[]]>> = {
  SO_LINGER: [SOCKET, 13, 1, 0],
  SO_SNDTIMEO: [SOCKET, 21, 0, 0, 1000, 0],
  SO_SNDBUF: [SOCKET, 7, 1],
  SO_RCVBUF: [SOCKET, 8, 1],
  SO_BUF_LOCK: [SOCKET, 72, 3],
  SO_RCVLOWAT: [SOCKET, 18, 100_000],
  SO_MAX_PACING_RATE: [SOCKET, 47, 1, 0],
  SO_DONTROUTE: [SOCKET, 5, 1],
  // "lo"
  SO_BINDTODEVICE: [SOCKET, 25, 0x6f6c],
  TCP_CORK: [TCP, 3, 1],
  TCP_MAXSEG: [TCP, 2, 88],
  TCP_WINDOW_CLAMP: [TCP, 10, 1],
  TCP_USER_TIMEOUT: [TCP, 18, 1],
  TCP_TX_DELAY: [TCP, 37, 100_000],
  TCP_DEFER_ACCEPT: [TCP, 9, 0],
  IP_TTL: [IP, 2, 1],
  IP_MINTTL: [IP, 21, 255],
  IPV6_UNICAST_HOPS: [IPV6, 16, 1],
  IPV6_MINHOPCOUNT: [IPV6, 73, 255],
};

for (const [host, kind] of [
  ["127.0.0.1", "inet"],
  ["::", "inet6"],
] as const)
  test(`every option of a socket (${kind}) that others can spoil is found and put back`, () => {
    const listener = Listener.open(specOf({ kind, host, port: 0 }));
    const { fd } = listener;
    const names = [...optionsOf(fd).keys()];
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !(name in HARM))).toEqual([]);
    for (const name of names) {
      set(fd, ...HARM[name]!);
      expect(listener.heal().was, name).toContain(`with another ${name}`);
      expect(listener.heal().was, name).toEqual([]);
      expect([listener.accepts, listener.queue()?.limit], name).toEqual([true, 7]);
    }
    listener.close();
  });

test("a filter that was locked, the right one or none, costs the socket", () => {
  for (const clients of [[], ["127.0.0.1"]]) {
    const listener = tcp(clients);
    const before = listener.inode;
    lockFilter(listener.fd);
    expect(listener.heal()).toEqual({ was: ["with a filter that is locked"], isAnother: true });
    expect(listener.inode).not.toBe(before);
    expect(listener.change(specOf(listener.address, ["10.0.0.0/8"]))).toEqual([
      "allowed clients 10.0.0.0/8",
    ]);
    listener.close();
  }
});

// Why ours is not locked: what SECURITY.md says of it.
test("a filter that is locked cannot be changed by root either, and its port not be opened beside it", () => {
  const listener = tcp(["127.0.0.1"]);
  lockFilter(listener.fd);
  expect(() => listener.change(specOf(listener.address, ["10.0.0.0/8"]))).toThrow("EPERM");
  expect(() => bindSocket(listeningAddress(listener.fd)!)).toThrow("EADDRINUSE");
  listener.close();
});
