// What a control command makes of an answer that is none.

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdminClient } from "../../src/admin/client.ts";
import { Fault } from "../../src/fault.ts";

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
