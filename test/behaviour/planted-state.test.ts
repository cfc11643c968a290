// What others have planted where the supervisor keeps its state is not believed: nothing that it names is
// signalled, removed or asked.

import { expect } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { openFolder } from "../helper/planted.ts";
import { barePool, type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { alive } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { behaviour, type Scene, type Spawned } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const ROOT = { needs: ["root"] } as const;
const WWW_DATA = 33;
/** Nobody has this one. */
const STRANGER = 54_321;
const asUser = (uid: number) => ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];

/** Somebody's service that has nothing to do with us, on fd 0 as a worker's is. */
async function bystander(scene: Scene, spot: Spot): Promise<{ child: Spawned; state: string }> {
  const program = scene.fixture("fcgi/bare.pl");
  const address = "path" in spot.where ? `unix:${spot.where.path}` : `tcp:${spot.listen}`;
  const activate = ["perl", scene.fixture("activate.pl"), `x=${address}`, "--"];
  const onStdin = ["sh", "-c", 'exec "$0" <&3 3<&-', program];
  const child = scene.spawn([...activate, ...asUser(5), ...onStdin]);
  const inode = await eventually(
    () => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${child.pid}/fd/0`))?.[1],
    { what: "somebody serves" },
  );
  const { where } = spot;
  if ("path" in where) scene.atEnd(() => rmSync(where.path, { force: true }));
  const record = {
    name: "www",
    address:
      "path" in where
        ? { kind: "unix", path: where.path }
        : { kind: "inet", host: "127.0.0.1", port: where.port },
    inode,
    maker: "fcgivisor",
    runtime: "generic",
    command: null,
    stop_signal: null,
    drain_timeout_ms: 0,
    groups: [],
  };
  return {
    child,
    state: JSON.stringify({ format: 1, version: "0.1.0", pid: 1, generation: 1, pools: [record] }),
  };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

behaviour(
  "a state in a folder that others can write in is not believed, and what it names lives",
  ROOT,
  async (scene) => {
    const theirs = unixSpot(scene, "theirs.sock");
    const { child, state } = await bystander(scene, theirs);
    const ours = await tcpSpot(scene);
    const settings = { supervisor: { pid_file: scene.path("x.pid") } };
    for (const [name, uid, mode] of [
      ["strangers", WWW_DATA, 0o755],
      ["open", 0, 0o777],
      ["run", 0, 0o755],
    ] as const) {
      const dir = scene.path(name);
      mkdirSync(dir);
      scene.write(`${name}/state.json`, state);
      // In a folder of root's a file of somebody else's is as strange.
      if (name === "run") chownSync(`${dir}/state.json`, WWW_DATA, WWW_DATA);
      chownSync(dir, uid, uid);
      chmodSync(dir, mode);
      const config = scene.config({
        supervisor: { ...settings.supervisor, state_dir: dir },
        log: { file: scene.path("fcgivisor.log") },
        pools: { www: barePool(scene, ours) },
      });
      for (const word of ["start", "stop", "status"]) {
        const { code, stderr } = await scene.fcgivisor([word, "-c", config]);
        if (word === "start" && name !== "run") {
          expect(code, stderr).toBe(1);
          expect(stderr).toContain(`${dir}: the state directory can be changed by others`);
        }
        expect(alive(child.pid), `${word} with ${name}`).toBe(true);
        expect(existsSync(theirs.listen), `${word} with ${name}`).toBe(true);
      }
    }
    expect(readFileSync(scene.path("fcgivisor.log"), "utf8")).toContain(
      "run/state.json: this file is not believed: it belongs to www-data",
    );
  },
);

behaviour("--takeover takes nothing from another user", ROOT, async (scene) => {
  const spot = await tcpSpot(scene);
  const { child } = await bystander(scene, spot);
  const config = scene.config({ pools: { www: barePool(scene, spot) } });
  const start = await scene.fcgivisor(["start", "--takeover", "-c", config]);
  expect(start, start.stderr).toMatchObject({ code: 1 });
  expect(start.stderr).toContain(`already in use by process ${child.pid}`);
  expect(alive(child.pid)).toBe(true);
});

behaviour("the log follows no link where others can plant one", ROOT, async (scene) => {
  const spot = await tcpSpot(scene);
  const dir = openFolder(scene, "open");
  const secret = scene.write("secret", "of root's\n", 0o600);
  const log = `${dir}/x.log`;
  const config = scene.config({ log: { file: log }, pools: { www: barePool(scene, spot) } });
  for (const plant of [symlinkSync, linkSync]) {
    plant(secret, log);
    const start = await scene.fcgivisor(["start", "-c", config]);
    expect(start, start.stderr).toMatchObject({ code: 1 });
    expect(start.stderr).toContain(`${log}: the log file cannot be opened`);
    expect(readFileSync(secret, "utf8")).toBe("of root's\n");
    rmSync(log);
  }
  expect(await scene.fcgivisor(["start", "-c", config])).toMatchObject({ code: 0 });
  expect(await scene.fcgivisor(["stop", "-c", config])).toMatchObject({ code: 0 });
  expect(statSync(log).size).toBeGreaterThan(0);
});

behaviour(
  "without XDG_RUNTIME_DIR a stranger's pointer and a stranger's supervisor are not trusted",
  ROOT,
  async (scene) => {
    const dir = `/tmp/fcgivisor-${STRANGER}`;
    scene.atEnd(() => rmSync(dir, { recursive: true, force: true }));
    const spot = await tcpSpot(scene);
    const program = scene.fixture("fcgi/bare.pl");
    const pool = `[pools.www]\nlisten = "${spot.listen}"\ncommand = ["${program}"]\nworkers = 1\n`;
    const config = scene.write("ours.toml", pool);
    // Of www-data, and everybody may ask it.
    mkdirSync(`${dir}/configs`, { recursive: true });
    const home = scene.path("home");
    mkdirSync(home);
    for (const each of [home, dir, `${dir}/configs`]) chownSync(each, WWW_DATA, WWW_DATA);
    const impostor = async (socket: string) => {
      const text = `[supervisor]\nstate_dir = "${home}"\n[admin]\nsocket = "${socket}"\nmode = "0666"\n${pool}`;
      const file = scene.write("theirs.toml", text);
      const child = scene.spawn([...asUser(WWW_DATA), BINARY, "run", "-c", file]);
      await eventually(() => child.stderr().includes("fcgivisor is ready"), { what: "it serves" });
      return child;
    };
    const status = (...words: string[]) =>
      scene.command([...asUser(STRANGER), BINARY, "status", ...words]);

    const led = await impostor(`${home}/admin.sock`);
    const digest = createHash("sha256").update(config).digest("hex").slice(0, 32);
    const pointer = scene.write(`${dir}/configs/${digest}`, `${home}/admin.sock\n`);
    chownSync(pointer, WWW_DATA, WWW_DATA);
    const lured = await status("-c", config);
    expect(lured, lured.stdout).toMatchObject({ code: 3, stdout: "" });
    // Whoever names it knows whose it is.
    expect(await status("--socket", `${home}/admin.sock`)).toMatchObject({ code: 0 });
    led.kill("SIGTERM");
    await led.exited;

    const waiting = await impostor(`${dir}/admin.sock`);
    const met = await status("-c", config);
    expect(met, met.stdout).toMatchObject({ code: 1, stdout: "" });
    expect(met.stderr).toContain("the supervisor there runs as www-data, who is neither root nor");
    waiting.kill("SIGTERM");
    await waiting.exited;
  },
);
