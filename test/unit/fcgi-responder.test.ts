// The embedded responder as a process of its own, on a listening socket that the test holds: its
// pages, and that a stop signal at any moment costs no request.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { fcgiRequest, paramsFor } from "../../src/fcgi/client.ts";
import type { Address } from "../../src/sys/socket/address.ts";
import { socketsOf } from "../../src/sys/proc/proc-sockets.ts";
import { libc } from "../../src/sys/libc.ts";
import { bindSocket, closeSocket, listenOn } from "../../src/sys/socket/socket.ts";
import { alive, statusField } from "../helper/processes.ts";
import { eventually, LONGEST_MS } from "../helper/wait.ts";

const RESPONDER = join(import.meta.dir, "../../src/fcgi/responder.ts");
const SCRIPT = `import { serveRequests } from ${JSON.stringify(RESPONDER)}; process.exit(await serveRequests(0, "7"));`;

let dir: string;
let address: Address;
let listener: number;
const started: Subprocess[] = [];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "fcgi-responder-"));
  address = { kind: "unix", path: join(dir, "s") };
  listener = bindSocket(address);
  listenOn(listener, 64);
});
afterAll(async () => {
  for (const child of started) child.kill("SIGKILL");
  await Promise.all(started.map((child) => child.exited));
  closeSocket(listener);
  rmSync(dir, { recursive: true });
});

/** A worker on the socket. It need not be ready: requests wait in the socket's queue. */
function startWorker(): Subprocess {
  const child = Bun.spawn([process.execPath, "-e", SCRIPT], {
    stdio: [listener, "ignore", "pipe"],
  });
  started.push(child);
  return child;
}

async function get(url: string, stdin?: Uint8Array | ReadableStream<Uint8Array>) {
  const params = paramsFor({ method: "GET", url, documentRoot: "/" });
  const response = await fcgiRequest({
    address,
    params,
    timeoutMs: LONGEST_MS,
    ...(stdin ? { stdin } : {}),
  });
  return { ...response, text: Buffer.from(response.body).toString() };
}

describe("its pages", () => {
  test("tell the process, echo, and speak on both error streams", async () => {
    const worker = startWorker();
    expect((await get("/")).text).toContain(`pid ${worker.pid}, generation 7, request 1`);
    expect((await get("/")).text).toContain("request 2");
    expect((await get("/echo?a=1", Buffer.from("body"))).text).toMatch(
      /QUERY_STRING=a=1\n[^]*\n\nbody$/,
    );
    expect((await get("/stderr?text=a%20b")).stderr).toBe("a b\n");
    expect((await get("/no/such")).status).toBe(404);
    expect((await get("/sleep?ms=1")).text).toContain(`slept 1 ms\npid ${worker.pid}`);
    await get("/log?text=to+the+log");
    expect((await get("/exit?code=3")).appStatus).toBe(3);
    expect(await worker.exited).toBe(3);
    expect(await new Response(worker.stderr as ReadableStream).text()).toBe("to the log\n");
  });
});

describe("a stop signal", () => {
  for (const signal of ["SIGTERM", "SIGUSR1"] as const) {
    test(`${signal} ends an idle worker with exit code 0`, async () => {
      const worker = startWorker();
      await get("/");
      worker.kill(signal);
      expect(await worker.exited).toBe(0);
    });

    test(`${signal} lets the request in flight finish, and takes no other`, async () => {
      const worker = startWorker();
      await get("/");
      // The connection of that request must be gone, or it would be taken for the next one's.
      await hasConnection(worker.pid, false);
      const rest = Promise.withResolvers<void>();
      const held = get("/echo", bodyAfter(rest.promise));
      await hasConnection(worker.pid, true);
      worker.kill(signal);
      await hasNoticed(worker.pid);
      const queued = Promise.withResolvers<void>();
      const other = get("/echo", bodyAfter(Promise.resolve(), queued.resolve));
      await queued.promise;
      rest.resolve();
      expect((await held).text).toEndWith("the rest");
      expect(await Promise.race([worker.exited, other.then(() => "served")])).toBe(0);
      const next = startWorker();
      expect((await other).text).toEndWith("the rest");
      next.kill("SIGTERM");
      expect(await next.exited).toBe(0);
    });
  }

  test("loses no request, whenever it comes", async () => {
    let worker = startWorker();
    // Once it has answered, its handlers stand.
    await get("/");
    let over = false;
    const servedBy = new Map<string, number>();
    const client = async () => {
      while (!over) {
        const pid = /pid ([0-9]+)/.exec((await get("/")).text)![1]!;
        servedBy.set(pid, (servedBy.get(pid) ?? 0) + 1);
      }
    };
    const clients = Promise.all([client(), client()]);
    const rounds = async () => {
      for (let round = 0; round < 15; round++) {
        const next = startWorker();
        const served = () => servedBy.get(String(next.pid)) ?? 0;
        await eventually(() => served() >= 2 + round, { every: 1 });
        worker.kill(round % 2 === 0 ? "SIGTERM" : "SIGUSR1");
        expect(await worker.exited).toBe(0);
        worker = next;
      }
    };
    // A client that loses a request rejects, which ends the wait for the rounds too.
    await Promise.race([rounds(), clients]);
    over = true;
    await clients;
    worker.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(servedBy.size).toBe(16);
  });
});

test("the shared socket is never made non-blocking", () => {
  const [F_GETFL, O_NONBLOCK] = [3, 0o4000];
  expect(libc.fcntl(listener, F_GETFL, 0) & O_NONBLOCK).toBe(0);
});

test("without a listening socket it says what it needs", async () => {
  const child = Bun.spawn([process.execPath, "-e", SCRIPT], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  expect(await child.exited).not.toBe(0);
  expect(await new Response(child.stderr).text()).toContain("no connection can be accepted");
});

/** Waits until the worker has gone on from where it waited, and waits again: what signals it had have been noticed. */
async function hasNoticed(pid: number): Promise<void> {
  const pauses = () => Number(statusField(pid, "voluntary_ctxt_switches"));
  const before = pauses();
  await eventually(() => !alive(pid) || pauses() > before, { every: 1 });
}

/** The body of a request that is on its way until `moment`; `asked` when all before it has been sent. */
function bodyAfter(moment: Promise<void>, asked = () => {}): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        asked();
        await moment;
        controller.enqueue(Buffer.from("the rest"));
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Waits until the worker holds a socket besides the listener, or none. */
async function hasConnection(pid: number, wanted: boolean): Promise<void> {
  const has = () => [...(socketsOf(pid)?.keys() ?? [])].some((fd) => fd > 2);
  await eventually(() => has() === wanted, { every: 1 });
}
