// Which socket counts as the one that a dead supervisor has left: that of the inode, not one of the same address.

import { afterAll, expect, test } from "bun:test";
import { Listener } from "../../src/socket/listener.ts";
import { takeBack } from "../../src/socket/take-back.ts";
import { processStat } from "../../src/sys/proc/procfs.ts";
import { SocketHolders } from "../../src/sys/proc/proc-sockets.ts";
import { closeSocket, listeningAddress } from "../../src/sys/socket/socket.ts";

const listener = Listener.open({
  listen: {
    address: { kind: "inet", host: "127.0.0.1", port: 0 },
    backlog: 7,
    owner: null,
    group: null,
    mode: null,
    aclUsers: [],
    aclGroups: [],
  },
  allowedClients: [],
});
afterAll(() => listener.close());

/** What /proc told a moment ago: this process has the socket. Since then it may have put another one there. */
class ToldBefore extends SocketHolders {
  override of() {
    return [{ ...processStat(process.pid)!, command: "worker", fd: listener.fd }];
  }
}

function takeBackOf(inode: number) {
  const address = listeningAddress(listener.fd)!;
  const left = { inode: String(inode), command: null, uid: null, groups: [] };
  return takeBack(address, left, undefined, new ToldBefore());
}

test("the socket of that inode is taken, another one of the same address is not", () => {
  const { inode } = listener;
  const taken = takeBackOf(inode);
  expect(taken).toMatchObject({ got: "socket" });
  if (taken.got === "socket") closeSocket(taken.fd);
  expect(takeBackOf(inode + 1)).toMatchObject({ got: "refused" });
});
