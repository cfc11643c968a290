// Several hosts behind a load balancer: a rolling change over all of them loses nothing, and one that is killed
// loses what it held, and no more. The hosts are loopback addresses, each with a supervisor of its own.

import { expect } from "bun:test";
import { type Haproxy, haproxy } from "../helper/haproxy.ts";
import { barePool } from "../helper/pool.ts";
import { allPids, parentOf } from "../helper/processes.ts";
import { type Supervisor, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { type Serving, whileSending } from "../helper/under-load.ts";

const HOSTS = [1, 2, 3] as const;
/** Requests in all; FLEET_REQUESTS asks for more than the suite has time for. */
const REQUESTS = Number(process.env["FLEET_REQUESTS"] ?? 1500);
/** As fast as one after the other goes. */
const RATE = 5000;
const WORKERS = 2;

interface Host {
  readonly name: string;
  readonly supervisor: () => Supervisor;
  readonly start: () => Promise<void>;
}

interface Fleet {
  readonly hosts: readonly Host[];
  readonly balancer: Haproxy;
}

async function fleet(scene: Scene): Promise<Fleet> {
  const [port, ready] = [await scene.port(), await scene.port()];
  const hosts = HOSTS.map((number) => hostAt(scene, number, port, ready));
  for (const { start } of hosts) await start();
  const { configFile } = hosts[0]!.supervisor();
  const printed = await scene.fcgivisor(["service", "haproxy", "-c", configFile]);
  expect([printed.stderr, printed.code]).toEqual(["", 0]);
  const balancer = await haproxy(scene, filledIn(printed.stdout, port, ready), "fcgivisor_www");
  for (const { name } of hosts) await balancer.sees(name, "UP");
  return { hosts, balancer };
}

function hostAt(scene: Scene, number: number, port: number, ready: number): Host {
  const [name, address] = [`host${number}`, addressOf(number)];
  const spot = { where: { host: address, port }, listen: `${address}:${port}` };
  let supervisor: Supervisor;
  return {
    name,
    supervisor: () => supervisor,
    start: async () => {
      const [pidFile, log] = [scene.path(`${name}.pid`), scene.path(`${name}.log`)];
      const socket = scene.path(`${name}/admin.sock`);
      const config = scene.config(
        {
          supervisor: { state_dir: scene.path(name), pid_file: pidFile },
          admin: { socket },
          log: { file: log },
          metrics: { listen: `${address}:${ready}` },
          pools: { www: barePool(scene, spot, { workers: WORKERS }) },
        },
        `${name}.toml`,
      );
      const started = await scene.fcgivisor(["start", "-c", config]);
      expect(started, started.stderr).toMatchObject({ code: 0 });
      supervisor = scene.follow(Number(textOf(pidFile)), config, socket, () => textOf(log));
    },
  };
}

function addressOf(number: number): string {
  return `127.77.0.${number}`;
}

/** What an operator does with it: the folder, and a line for each host. */
function filledIn(snippet: string, port: number, ready: number): string {
  const servers = HOSTS.map(
    (number) =>
      `    server host${number} ${addressOf(number)}:${port} proto fcgi check port ${ready} check-proto h1`,
  );
  return snippet
    .replace("/nonexistent/FILL-IN/public", "/")
    .replace(/^ {4}server host1 .*$/m, servers.join("\n"))
    .replace(
      /^ {4}# A connection/m,
      "    option httpchk GET /readyz\n    http-check expect status 200\n$&",
    );
}

function sendTo({ balancer }: Fleet): () => Promise<unknown> {
  return async () => {
    const { status, body } = await balancer.get("/");
    if (status !== 200 || !body.includes("hello")) throw new Error(`${status}: ${body}`);
  };
}

/** One host after the other, as its operator would: left alone, quit, and started again. */
async function roll({ hosts, balancer }: Fleet, { further }: Serving): Promise<void> {
  for (const { name, supervisor, start } of hosts) {
    const quitting = supervisor().control("quit", "--lame-duck", "1h");
    await balancer.sees(name, "DOWN");
    await further(5);
    expect(await supervisor().control("quit")).toMatchObject({ code: 0 });
    expect(await quitting).toMatchObject({ code: 0 });
    await further(5);
    await start();
    await balancer.sees(name, "UP");
  }
}

behaviour(
  "a rolling change over three hosts behind HAProxy loses no request",
  { needs: ["haproxy"] },
  async (scene) => {
    const all = await fleet(scene);
    const report = await whileSending(
      sendTo(all),
      async (serving) => {
        do await roll(all, serving);
        while (serving.count() < REQUESTS);
      },
      RATE,
    );
    expect(report.ok).toBeGreaterThanOrEqual(REQUESTS);
  },
);

behaviour(
  "a host that is killed loses what it held, and the others go on",
  { needs: ["haproxy"] },
  async (scene) => {
    const all = await fleet(scene);
    const [{ name, supervisor, start }] = all.hosts as [Host];
    const send = sendTo(all);
    let lost = 0;
    await whileSending(
      () => send().catch(() => void lost++),
      async ({ further }) => {
        // The machine is gone: everything on it at once.
        for (const pid of family(supervisor().pid)) process.kill(pid, "SIGKILL");
        await all.balancer.sees(name, "DOWN");
        await further(100);
      },
      RATE,
    );
    expect(lost).toBeLessThanOrEqual(WORKERS);
    await Promise.all(Array.from({ length: 20 }, send));
    // And comes back.
    await start();
    await all.balancer.sees(name, "UP");
  },
);

/** A process and all that came of it, the youngest last. */
function family(pid: number): number[] {
  const children = allPids().filter((each) => parentOf(each) === pid);
  return [pid, ...children.flatMap(family)];
}
