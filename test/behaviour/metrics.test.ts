// The metrics, on their own listener and on the control socket: what Prometheus takes and gives back, who may
// look, and that nothing can be done there.

import { expect } from "bun:test";
import { connect, type Socket } from "node:net";
import { statSync } from "node:fs";
import { dashboardQueries } from "../../src/cli/help/grafana.ts";
import { CONNECTIONS_MOST } from "../../src/admin/metrics-server.ts";
import { fcgi } from "../helper/fcgi.ts";
import { hold, holdPhp } from "../helper/gate.ts";
import { prometheusProgram } from "../helper/packages.ts";
import { barePool, phpPool, type Spot, tcpSpot } from "../helper/pool.ts";
import { descriptorsOf } from "../helper/processes.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, type Settings } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const PROMETHEUS = { needs: ["php-cgi", "prometheus"] } as const;

interface Watched {
  readonly supervisor: Supervisor;
  readonly spot: Spot;
  /** Where its metrics are, as a URL without a path. */
  readonly url: string;
}

async function watched(
  scene: Scene,
  pool: (spot: Spot) => Record<string, unknown>,
  metrics: Record<string, unknown> = {},
): Promise<Watched> {
  const spot = await tcpSpot(scene);
  const listen = `127.0.0.1:${await scene.port()}`;
  const settings: Settings = { metrics: { listen, ...metrics }, pools: { www: pool(spot) } };
  return { supervisor: await scene.start(settings), spot, url: `http://${listen}` };
}

/** The value of a sample, by its name and labels as they are written; null when it is not there. */
async function valueOf(url: string, sample: string, path = "/metrics"): Promise<number | null> {
  const text = await (await fetch(`${url}${path}`, { keepalive: false })).text();
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  return line === undefined ? null : Number(line.slice(sample.length + 1));
}

behaviour("promtool accepts them, and the alert rules", PROMETHEUS, async (scene) => {
  const { supervisor, spot, url } = await watched(scene, (at) => phpPool(at, { workers: 2 }));
  await supervisor.control("reload");
  const held = await holdPhp(scene, spot);
  const check = (text: string, ...words: string[]) =>
    scene.command([prometheusProgram("promtool")!, "check", ...words], { input: text });
  for (const path of ["/metrics", "/metrics?workers=true"]) {
    const text = await (await fetch(url + path, { keepalive: false })).text();
    expect(text).toContain("fcgivisor_operation_duration_seconds_bucket");
    expect(await check(text, "metrics")).toMatchObject({ code: 0, stderr: "" });
    expect(await (await supervisor.http("/metrics")).text()).toContain("# TYPE fcgivisor_up gauge");
  }
  // It does find what is wrong.
  expect((await check("up{ 1\n", "metrics")).code).not.toBe(0);
  const rules = scene.write("alerts.yml", (await scene.fcgivisor(["help", "alerts"])).stdout);
  const checked = await check("", "rules", rules);
  expect(checked).toMatchObject({ code: 0 });
  expect(checked.stdout).toContain("9 rules found");
  held.open();
  await held.answer;
});

behaviour("a real Prometheus scrapes them and knows who is busy", PROMETHEUS, async (scene) => {
  const { spot, url } = await watched(scene, (at) => phpPool(at, { workers: 5 }));
  const held = [];
  for (let i = 0; i < 3; i++) held.push(await holdPhp(scene, spot));
  const query = await prometheus(scene, url);
  const busy = 'fcgivisor_pool_workers{pool="www",state="busy"}';
  await eventually(async () => (await query(busy))[0] === 3, { what: "Prometheus has been there" });
  expect(await query('phpfpm_active_processes{pool="www"}')).toEqual([3]);
  expect(await query('phpfpm_idle_processes{pool="www"}')).toEqual([2]);
  expect(await query("up")).toEqual([1]);
  for (const { open } of held) open();
  for (const { answer } of held) await answer;
  await eventually(async () => (await query(busy))[0] === 0, { what: "nobody is busy any more" });
  // Each query of the dashboard is one.
  const queries = dashboardQueries();
  expect(queries.length).toBeGreaterThan(10);
  for (const each of queries) expect(Array.isArray(await query(each))).toBe(true);
  const dashboard = JSON.parse((await scene.fcgivisor(["help", "grafana"])).stdout);
  expect(dashboard).toMatchObject({ title: "fcgivisor" });
});

/** A Prometheus that scrapes this address; the values of a query. Throws what it says of a query that is none. */
async function prometheus(
  scene: Scene,
  url: string,
): Promise<(query: string) => Promise<number[]>> {
  const port = await scene.port();
  const config = scene.write(
    "prometheus.yml",
    `global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs: [{ job_name: fcgivisor, static_configs: [{ targets: ["${url.slice(7)}"] }] }]\n`,
  );
  scene.spawn([
    prometheusProgram("prometheus")!,
    `--config.file=${config}`,
    `--storage.tsdb.path=${scene.path("tsdb")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const at = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${at}/-/ready`, { keepalive: false })).ok);
  return async (query) => {
    const asked = `${at}/api/v1/query?${new URLSearchParams({ query })}`;
    const answer = (await (await fetch(asked, { keepalive: false })).json()) as {
      readonly error?: string;
      readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
    };
    if (answer.data === undefined) throw new Error(`${query}: ${answer.error}`);
    return answer.data.result.map(({ value }) => Number(value[1]));
  };
}

behaviour("what happens is counted, and goes on through an upgrade", {}, async (scene) => {
  const { supervisor, spot, url } = await watched(scene, (at) => barePool(scene, at));
  const ended = (reason: string) =>
    valueOf(url, `fcgivisor_pool_workers_ended_total{pool="www",reason="${reason}"}`);
  const reloads = (result: string) =>
    valueOf(
      url,
      `fcgivisor_operation_duration_seconds_count{operation="reload",result="${result}"}`,
    );
  expect(await ended("crashed")).toBeNull();
  const held = await hold(scene, spot);
  process.kill(held.worker, "SIGKILL");
  await eventually(async () => (await ended("crashed")) === 1);
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect([await reloads("done"), await reloads("failed")]).toEqual([1, null]);
  expect(await ended("drained")).toBe(2);
  expect(await supervisor.control("upgrade")).toMatchObject({ code: 0 });
  expect([await ended("crashed"), await reloads("done")]).toEqual([1, 1]);
});

behaviour(
  "one who is cut off by request_timeout is no crash",
  { needs: ["php-cgi"] },
  async (scene) => {
    const { spot, url } = await watched(scene, (at) => phpPool(at, { request_timeout: "1s" }));
    await fcgi(spot.where, { script: scene.fixture("php/slow.php"), query: "ms=600000" }).catch(
      () => {},
    );
    const name = "fcgivisor_pool_workers_ended_total";
    await eventually(
      async () => (await valueOf(url, `${name}{pool="www",reason="timed-out"}`)) === 1,
    );
    expect(await valueOf(url, `${name}{pool="www",reason="crashed"}`)).toBeNull();
    expect(await valueOf(url, 'fcgivisor_pool_request_timeouts_total{pool="www"}')).toBe(1);
  },
);

behaviour(
  "a slow request counts once, however often it is told of; a recycled worker by its setting",
  { needs: ["php-cgi"] },
  async (scene) => {
    const limits = { slow_timeout: "200ms", max_memory: "16M" };
    const { supervisor, spot, url } = await watched(scene, (at) => phpPool(at, limits));
    const count = (name: string, labels = "") => valueOf(url, `${name}{pool="www"${labels}}`);
    expect(await count("fcgivisor_pool_slow_requests_total")).toBe(0);
    const held = await holdPhp(scene, spot);
    await eventually(() => supervisor.log().match(/slow_timeout is 200 ms/g)?.length === 2);
    expect(await count("fcgivisor_pool_slow_requests_total")).toBe(1);
    expect(await valueOf(url, phpFpm("slow_requests", spot))).toBe(1);
    await held.finish();
    await fcgi(spot.where, { script: scene.fixture("php/grow.php") });
    const recycles = "fcgivisor_pool_recycles_total";
    await eventually(async () => (await count(recycles, ',reason="max_memory"')) === 1);
    expect(await count(recycles, ',reason="max_age"')).toBe(0);
    const { stdout } = await supervisor.control("status", "www");
    expect(stdout).toContain("1 slow request, 1 asked to leave by max_memory");
  },
);

behaviour(
  "parked workers have a state of their own, and a pool that follows its load says so",
  { needs: ["php-cgi"] },
  async (scene) => {
    const scaling = { scaling: "dynamic", start_workers: 1, min_spare: 1, max_spare: 1 };
    const { url } = await watched(scene, (at) => phpPool(at, { workers: 3, ...scaling }));
    const parked = () => valueOf(url, 'fcgivisor_pool_workers{pool="www",state="parked"}');
    await eventually(async () => (await parked()) === 2);
    expect(await valueOf(url, 'fcgivisor_pool_follows_load{pool="www"}')).toBe(1);
  },
);

/** As php-fpm_exporter has it. */
function phpFpm(name: string, { listen }: Spot): string {
  return `phpfpm_${name}{pool="www",scrape_uri="tcp://${listen}"}`;
}

behaviour(
  "a long request is seen by its age, and the CPU that is used",
  { needs: ["php-cgi"] },
  async (scene) => {
    const { spot, url } = await watched(scene, (at) => phpPool(at, { workers: 1 }));
    const oldest = 'fcgivisor_pool_oldest_request_seconds{pool="www"}';
    expect(await valueOf(url, oldest)).toBe(0);
    const held = await holdPhp(scene, spot);
    await eventually(async () => (await valueOf(url, oldest))! > 1.5);
    const ofWorker = `fcgivisor_worker_request_seconds{pool="www",pid="${held.worker}"}`;
    expect(await valueOf(url, ofWorker, "/metrics?workers=true")).toBeGreaterThan(1.5);
    // It looks at its gate again and again.
    await eventually(
      async () => (await valueOf(url, 'fcgivisor_pool_cpu_seconds_total{pool="www"}'))! > 0,
    );
    held.open();
    await held.answer;
  },
);

behaviour("nothing can be done there, and nobody else is let in", {}, async (scene) => {
  const { supervisor, url } = await watched(scene, (at) => barePool(scene, at));
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(url + path, { keepalive: false, ...init });
  expect((await ask("/v1/stop", { method: "POST" })).status).toBe(404);
  expect((await ask("/v1/status")).status).toBe(404);
  expect((await ask("/metrics", { method: "POST" })).status).toBe(405);
  expect(await (await ask("/readyz")).text()).toBe("ok\n");
  const rebound = await ask("/metrics", { headers: { host: "evil.example" } });
  expect(rebound.status).toBe(403);
  expect(await rebound.text()).toContain("localhost");
  expect((await ask("/metrics", { headers: { host: "localhost:1" } })).status).toBe(200);
  const before = descriptorsOf(supervisor.pid).size;
  const port = Number(new URL(url).port);
  const crowd: Socket[] = Array.from({ length: 4 * CONNECTIONS_MOST }, () =>
    connect(port, "127.0.0.1"),
  );
  for (const one of crowd) one.on("error", () => {});
  const closed = () => crowd.filter((one) => one.closed || one.readableEnded).length;
  await eventually(() => closed() >= 3 * CONNECTIONS_MOST, { what: "the many are closed again" });
  expect(descriptorsOf(supervisor.pid).size - before).toBeLessThanOrEqual(CONNECTIONS_MOST + 5);
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  for (const one of crowd) one.destroy();
  await eventually(async () => (await ask("/healthz")).ok);
});

behaviour("with a token only who brings it may look", {}, async (scene) => {
  const token = "0123456789abcdef0123";
  const token_file = scene.write("token", `${token}\n`, 0o600);
  const { url } = await watched(scene, (at) => barePool(scene, at), { token_file });
  const status = async (authorization?: string, path = "/metrics") =>
    (
      await fetch(url + path, {
        keepalive: false,
        headers: {
          host: "metrics.example",
          ...(authorization === undefined ? {} : { authorization }),
        },
      })
    ).status;
  expect(await status()).toBe(401);
  expect(await status(`Bearer ${token}x`)).toBe(401);
  expect(await status(`Bearer ${token}`)).toBe(200);
  expect(await status(`Basic ${btoa(`anybody:${token}`)}`)).toBe(200);
  expect(await status(`Basic ${btoa("anybody:nothing")}`)).toBe(401);
  expect(await status(undefined, "/healthz")).toBe(200);
});

behaviour(
  "what is wrong with the listener fails the start, and leaves nothing",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const startOf = (metrics: Record<string, unknown>) =>
      scene.fcgivisor([
        "start",
        "-c",
        scene.daemonConfig({ metrics, pools: { www: barePool(scene, spot) } }),
      ]);
    const none = scene.path("none");
    for (const [metrics, told] of [
      [{ listen: `127.0.0.1:${taken.port}` }, "stop whoever listens there"],
      [{ listen: "127.0.0.1:9", token_file: none }, "the token for metrics cannot be read"],
      [{ listen: "127.0.0.1:9", token_file: scene.write("t", "short") }, "the file holds no token"],
      [{ listen: "0.0.0.0:9" }, "others than this machine can connect"],
    ] as const) {
      const start = await startOf(metrics);
      expect(start).toMatchObject({ code: 1 });
      expect(start.stderr).toContain(told);
      expect(start.stderr).toContain("hint: ");
    }
    taken.stop(true);
    // Nothing of it is left that would be in the way.
    const start = await startOf({ listen: scene.path("metrics.sock"), mode: "0666" });
    expect(start).toMatchObject({ code: 0 });
    scene.followDaemon(scene.path("fcgivisor.toml"));
    expect(statSync(scene.path("metrics.sock")).mode & 0o777).toBe(0o666);
    const answer = await fetch("http://x/metrics", { unix: scene.path("metrics.sock") });
    expect(await answer.text()).toContain("fcgivisor_up 1");
  },
);

behaviour(
  "a reload leaves the listener as it is, and says that it needs a restart",
  {},
  async (scene) => {
    const { supervisor, spot, url } = await watched(scene, (at) => barePool(scene, at));
    scene.rewrite({ pools: { www: barePool(scene, spot) } });
    const reload = await supervisor.control("reload");
    expect(reload.stdout).toContain("metrics.listen");
    expect((await fetch(`${url}/healthz`, { keepalive: false })).status).toBe(200);
  },
);
