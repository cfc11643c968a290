// What a process waits for, told of real ones: each is in its system call before it is looked at, because the
// words are waited for.

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitingOf } from "../../src/observe/waits-for.ts";
import { eventually } from "../helper/wait.ts";

const dir = mkdtempSync(join(tmpdir(), "fv-waiting-"));
const children: Bun.Subprocess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true });
});

function spawn(...command: string[]): number {
  const child = Bun.spawn(command, { stdio: ["pipe", "pipe", "ignore"] });
  children.push(child);
  return child.pid;
}

function seen(pid: number, text: RegExp) {
  return eventually(
    () => {
      const waiting = waitingOf(pid, null);
      return text.test(waiting.text) ? waiting : null;
    },
    { what: `process ${pid} is ${text}` },
  );
}

test("a sleep, a child, and a CPU", async () => {
  await seen(spawn("sleep", "1000"), /^sleeping \(clock_nanosleep\)$/);
  await seen(
    spawn("sh", "-c", "sleep 1000; true"),
    /^waiting for a child process \((wait4|waitid)\)$/,
  );
  await seen(spawn("sh", "-c", "while :; do :; done"), /^running on the CPU$/);
});

test("a lock on a file, by its path", async () => {
  const file = join(dir, "lock");
  const program = `open(my $f, ">", "${file}"); flock($f, 2); $| = 1; print "x"; sleep 1000`;
  const holder = Bun.spawn(["perl", "-e", program], { stdout: "pipe" });
  children.push(holder);
  await holder.stdout.getReader().read();
  const waiting = await seen(spawn("perl", "-e", program), /^waiting for a lock on \S+ \(flock\)$/);
  expect(waiting).toMatchObject({ call: "flock", on: file });
});

test("a server, by its address: in a read and in a select", async () => {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const at = `127.0.0.1:${port}`;
  const connect = `use IO::Socket::INET; my $s = IO::Socket::INET->new("${at}")`;
  await seen(
    spawn("perl", "-e", `${connect}; sysread($s, my $b, 1)`),
    new RegExp(`^reading from ${at} \\((read|recvfrom)\\)$`),
  );
  await seen(
    spawn(
      "perl",
      "-e",
      `${connect}; my $r = ""; vec($r, fileno($s), 1) = 1; select($r, undef, undef, undef)`,
    ),
    new RegExp(`^waiting for ${at} \\(p?select6?\\)$`),
  );
  server.close();
});

test("a pipe; and one that is gone is unknown", async () => {
  await seen(spawn("cat"), /^reading from a (pipe|socket) \(read\)$/);
  expect(waitingOf(2 ** 22 + 1, null).text).toBe("unknown: the kernel does not tell");
});
