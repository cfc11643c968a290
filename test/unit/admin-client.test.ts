// What a client makes of an answer that is none, and what it says when the supervisor it asked goes away in
// the middle: in words of ours, whatever Bun makes of a connection that breaks.

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdminClient, BrokenOff } from "../../src/admin/client.ts";
import { Fault } from "../../src/fault.ts";
import { bindSocket, closeSocket, listenOn } from "../../src/sys/socket/socket.ts";
import { connectUnix } from "../../src/sys/socket/unix-connect.ts";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

const STEP = '{"step":"waiting"}\n';

/** What the supervisor has sent when it ends. */
const SENT = {
  nothing: "",
  "half a head": "HTTP/1.1 200",
  "a step": HEAD + chunk(STEP),
  "half a line": HEAD + chunk(STEP.slice(0, 9)),
  "an end without an answer": `${HEAD}${chunk(STEP)}0\r\n\r\n`,
};

for (const [what, sent] of Object.entries(SENT)) {
  test(`a supervisor that ends when it has sent ${what}`, async () => {
    const dir = mkdtempSync(join(tmpdir(), "fv-client-"));
    const unix = join(dir, "admin.sock");
    const server = Bun.listen({
      unix,
      socket: {
        data(socket) {
          if (sent !== "") socket.write(sent);
          socket.flush();
          setTimeout(() => socket.terminate(), 5);
        },
      },
    });
    try {
      const fault = await new AdminClient(unix).operate("reload").catch((error: unknown) => error);
      expect(fault).toBeInstanceOf(BrokenOff);
      const { message, where, hint, cause } = fault as BrokenOff;
      expect(message).toBe("the supervisor ended before it had answered");
      expect(where).toBe(unix);
      expect(hint).toContain("fcgivisor status");
      expect(cause).toBeUndefined();
    } finally {
      server.stop(true);
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

const dir = mkdtempSync(join(tmpdir(), "fv-client-"));
const socket = join(dir, "admin.sock");
let answer = () => new Response("");
const server = Bun.serve({ unix: socket, fetch: () => answer() });
const client = new AdminClient(socket);

afterAll(async () => {
  await server.stop(true);
  rmSync(dir, { recursive: true });
});

test("the fault that an answer tells is thrown, whatever was asked", async () => {
  const fault = { message: "cannot look", hint: "look again" };
  answer = () => Response.json({ ok: false, fault }, { status: 500 });
  for (const asked of [
    () => client.status(),
    () => client.config(),
    () => client.operate("stop"),
  ]) {
    const thrown = await asked().then(
      () => null,
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(Fault);
    expect(thrown).toMatchObject(fault);
  }
});

test("an answer without a fault is one all the same, unless its status is 200", async () => {
  answer = () => new Response("starting\n", { status: 503 });
  const thrown = await client.status().then(
    () => null,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(Fault);
  expect(thrown).toMatchObject({
    message: "the supervisor answered with status 503",
    where: socket,
    cause: "starting",
  });
});

test("a queue that is full is not taken for a supervisor that is not running", async () => {
  const path = join(dir, "full.sock");
  const listener = bindSocket({ kind: "unix", path });
  listenOn(listener, 1);
  const waiting: number[] = [];
  for (let fd = connectUnix(path); fd !== null; fd = connectUnix(path)) waiting.push(fd);
  expect(waiting.length).toBeGreaterThan(0);
  const asked = new AdminClient(path).supervisor();
  // Whoever gave up at once would have by now.
  await Bun.sleep(100);
  expect(Bun.peek.status(asked)).toBe("pending");
  for (const fd of [...waiting, listener]) closeSocket(fd);
  rmSync(path);
  const roomy = Bun.serve({ unix: path, fetch: () => Response.json({ pid: 7 }) });
  expect(await asked).toMatchObject({ pid: 7 });
  await roomy.stop(true);
});
