// A test suite as an application has it; it is run as that, in a folder of its own (test/behaviour/testing.test.ts).

import { expect, test } from "bun:test";
import { startFcgivisor } from "fcgivisor/testing";

const POOL = { command: ["php-cgi"], chdir: "public", workers: 2 };

test("the front page is JSON that greets", async () => {
  await using app = await startFcgivisor({ pools: { www: POOL } });
  const answer = await app.request("/index.php", { headers: { "X-Key": "k" } });
  expect(answer).toMatchObject({ status: 200, stderr: "" });
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.json()).toMatchObject({ greeting: "hello", key: "k" });
});

test("the form takes a POST, and warns of anything else", async () => {
  await using app = await startFcgivisor({ pools: { www: POOL } });
  expect((await app.request("/form.php", { body: "a=1&b=2" })).text).toBe("got a=1&b=2");
  const refused = await app.request("/form.php");
  expect(refused.status).toBe(405);
  expect(refused.stderr).toContain("only POST is answered here");
});

test("a reload brings other workers", async () => {
  await using app = await startFcgivisor({ pools: { www: POOL } });
  const worker = async () => (await app.request("/index.php")).json() as { worker: number };
  const before = await worker();
  expect(await app.reload()).toMatchObject({ operation: "reload", generation: 2 });
  expect((await worker()).worker).not.toBe(before.worker);
  expect(await app.status()).toMatchObject({ state: "running", pools: [{ name: "www" }] });
  expect(app.log()).toContain("reload done");
});

test("one program will do, and two pools have two addresses", async () => {
  await using one = await startFcgivisor({ command: ["php-cgi"], cwd: "public" });
  expect((await one.request("/index.php")).status).toBe(200);
  await using two = await startFcgivisor({ pools: { www: POOL, "my-api": POOL } });
  expect(two.addressOf("my-api")).not.toBe(two.address);
  expect((await two.request("/index.php", { pool: "my-api" })).status).toBe(200);
});

test("what goes wrong is told, with the log", async () => {
  const wrong = startFcgivisor({ pools: { www: { ...POOL, comand: 1 } } });
  await expect(wrong).rejects.toThrow('did you mean "command"?');
  const down = startFcgivisor({ command: ["/bin/false"] });
  await expect(down).rejects.toThrow("fcgivisor did not start");
  await using app = await startFcgivisor({ pools: { www: POOL } });
  await expect(app.reload("api")).rejects.toThrow(/there is no pool "api"[^]*the log of fcgivisor/);
  await expect(app.request("/", { pool: "ww" })).rejects.toThrow('did you mean "www"?');
});
