// What a holder of a listening socket has changed on it is found, and set right on our own copy.

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Listener, type ListenSpec } from "../../src/socket/listener.ts";
import type { Address } from "../../src/sys/socket/address.ts";
import { attachFilter, endListening, hasFilter, listenOn } from "../../src/sys/socket/socket.ts";

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
