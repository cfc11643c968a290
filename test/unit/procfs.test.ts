// What is read of other processes: whatever they are called, wherever they keep a socket.

import { afterAll, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  listeningUnixInodes,
  SocketHolders,
  socketsOf,
  unixInodes,
} from "../../src/sys/proc/proc-sockets.ts";
import { processStat, stillThere } from "../../src/sys/proc/procfs.ts";

const dir = mkdtempSync(join(tmpdir(), "fv-procfs-"));
const spawned: Bun.Subprocess[] = [];
/** Children of theirs, which outlive them. */
const forked: number[] = [];
const servers: Server[] = [];

afterAll(() => {
  for (const child of spawned) child.kill("SIGKILL");
  for (const pid of forked) process.kill(pid, "SIGKILL");
  for (const server of servers) server.close();
  rmSync(dir, { recursive: true, force: true });
});

function sleeper(command: readonly string[]): Bun.Subprocess {
  const child = Bun.spawn([...command], { stdio: ["ignore", "ignore", "ignore"] });
  spawned.push(child);
  return child;
}

test("a program whose name looks like the rest of the line", () => {
  const program = join(dir, "a) Z 1 (b");
  copyFileSync("/bin/sleep", program);
  const { pid } = sleeper([program, "600"]);
  expect(processStat(pid)).toMatchObject({ command: "a) Z 1 (b", parent: process.pid });
  expect(processStat(pid)!.state).not.toBe("Z");
});

test("what is gone is null, and so is what has its number", async () => {
  const child = sleeper(["true"]);
  const stat = processStat(child.pid);
  await child.exited;
  expect(processStat(child.pid)).toBeNull();
  expect(socketsOf(child.pid)).toBeNull();
  if (stat !== null) expect(stillThere(stat)).toBeNull();
  const self = processStat(process.pid)!;
  expect(stillThere({ ...self, startTime: self.startTime - 1 })).toBeNull();
  expect(stillThere(self)).toMatchObject({ pid: process.pid });
});

test("a Unix socket by its path, whatever letters and blanks are in it", async () => {
  const path = join(dir, "two  blanks and ümlaut");
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const inodes = unixInodes(path);
  expect(inodes.length).toBe(1);
  expect([...socketsOf(process.pid)!.values()]).toContain(inodes[0]!);
  expect(unixInodes(`${path}x`)).toEqual([]);
});

test("who has a socket: as standard input, or elsewhere where that may be", async () => {
  const path = join(dir, "socket");
  const script = `use Socket; use POSIX;
    socket(my $s, AF_UNIX, SOCK_STREAM, 0); bind($s, pack_sockaddr_un($ARGV[0])); listen($s, 1);
    POSIX::dup2(fileno($s), $_) for 0, 9; POSIX::close(fileno($s));
    if (my $pid = fork()) { POSIX::close(9); } else { close STDIN; }
    sleep 600;`;
  const { pid } = sleeper(["perl", "-e", script, path]);
  const children = () =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  while (unixInodes(path).length === 0 || children()[0] === 0) await Bun.sleep(5);
  const [inode, child] = [unixInodes(path)[0]!, children()[0]!];
  forked.push(child);
  while (socketsOf(child)?.get(0) !== undefined) await Bun.sleep(5);
  const holders = (command: string | null, ...groups: number[]) =>
    new SocketHolders().of(inode, { command, groups }).map((each) => [each.pid, each.fd]);
  const both = [
    [pid, 0],
    [child, 9],
  ];
  expect(holders(null)).toEqual([[pid, 0]]);
  expect(holders("perl")).toEqual(both);
  const group = processStat(child)!.group;
  expect(holders(null, group)).toEqual(both);
  expect(holders("perl", group)).toEqual(both);
});

test("a look at a process that has opened very much costs no more than at others", async () => {
  const open = (count: number) =>
    Bun.spawn(
      ["perl", "-e", `open($f[$_], "<", "/dev/null") for 1..${count}; $| = 1; print "."; sleep`],
      { stdin: "ignore", stdout: "pipe" },
    );
  const [some, many] = [open(900), open(15_000)];
  try {
    for (const { stdout } of [some, many]) await stdout.getReader().read();
    // CPU time: others on the machine take none of it away.
    const cost = (pid: number) => {
      const before = process.cpuUsage();
      for (let look = 0; look < 30; look++) socketsOf(pid);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    cost(some.pid);
    expect(cost(many.pid) / cost(some.pid)).toBeLessThan(3);
  } finally {
    for (const child of [some, many]) child.kill("SIGKILL");
  }
});

test("of a Unix socket that clients are connected to only the listening one is told as listening", async () => {
  const path = join(dir, "a b.sock");
  const server = createServer(() => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise((resolve) => server.once("connection", resolve));
  const client = connect(path);
  await accepted;
  expect(unixInodes(path)).toHaveLength(2);
  const [listening, ...more] = listeningUnixInodes(path);
  expect(more).toEqual([]);
  expect(unixInodes(path)).toContain(listening!);
  client.destroy();
});
