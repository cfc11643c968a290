// Where the supervisor keeps its own files: what cannot be written is said by name, with what to do.

import { expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { crash } from "../helper/crash.ts";
import { barePool, tcpSpot } from "../helper/pool.ts";
import { BINARY } from "../helper/program.ts";
import { AS_NOBODY, behaviour, NOBODY, type Scene } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";

/** The program, run as nobody. */
const OURS = [...AS_NOBODY, BINARY];

/** A folder of nobody's with a config in it, as that user may start it. */
async function homeOf(scene: Scene, more = ""): Promise<{ home: string; config: string }> {
  const spot = await tcpSpot(scene);
  const home = scene.path("home");
  mkdirSync(home);
  chownSync(home, NOBODY, NOBODY);
  const pool = `[pools.www]\nlisten = "${spot.listen}"\ncommand = ["${scene.fixture("fcgi/bare.pl")}"]\n`;
  const text = `[supervisor]\nstate_dir = "home/run"\n${pool}workers = 1\n${more}`;
  return { home, config: scene.write("nobody.toml", text) };
}

behaviour(
  "somebody else's XDG_RUNTIME_DIR, as su leaves it, is no reason not to start",
  { needs: ["root"] },
  async (scene) => {
    const { home, config } = await homeOf(scene);
    const foreign = scene.path("foreign");
    mkdirSync(foreign, { mode: 0o700 });
    const env = { XDG_RUNTIME_DIR: foreign };
    const start = await scene.command([...OURS, "start", "-c", config], { env });
    expect(start, start.stderr).toMatchObject({ code: 0 });
    const log = await Bun.file(`${home}/run/fcgivisor.log`).text();
    expect(log).toContain(`${foreign}/fcgivisor: cannot note where the control socket is`);
    expect(log).toContain(`--socket ${home}/run/admin.sock`);
    const stop = await scene.command([...OURS, "stop", "-c", config], { env });
    expect(stop, stop.stderr).toMatchObject({ code: 0 });
  },
);

behaviour("a state_dir that cannot be written is named", { needs: ["root"] }, async (scene) => {
  const { home, config } = await homeOf(scene);
  mkdirSync(`${home}/run`, { mode: 0o755 });
  const env = { XDG_RUNTIME_DIR: home };
  const start = await scene.command([...OURS, "start", "-c", config], { env });
  expect(start.code).toBe(1);
  expect(start.stderr).toContain(`${home}/run/lock: cannot write in the state directory`);
  expect(start.stderr).toContain("[supervisor] state_dir");
  expect(start.stderr).not.toContain("    at ");
});

behaviour(
  "a control socket that cannot be given away is said, and not left behind",
  { needs: ["root"] },
  async (scene) => {
    const { home, config } = await homeOf(scene, '[admin]\ngroup = "root"\n');
    const env = { XDG_RUNTIME_DIR: home };
    const start = await scene.command([...OURS, "start", "-c", config], { env });
    expect(start.code).toBe(1);
    expect(start.stderr).toContain("the control socket cannot be given to that owner or group");
    expect(start.stderr).not.toContain("    at ");
    expect(existsSync(`${home}/run`), readdirSync(home).join()).toBe(false);
  },
);

behaviour(
  "a full disk: init leaves no empty file, and the log names the state file and what to do",
  { needs: ["root", "mounting", "mount"] },
  async (scene) => {
    const disk = scene.path("disk");
    mkdirSync(disk);
    const mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", disk];
    expect(await scene.command(mount)).toMatchObject({ code: 0 });
    scene.atEnd(() => void Bun.spawnSync(["umount", "-l", disk]));
    mkdirSync(`${disk}/run`);
    await scene.command(["dd", "if=/dev/zero", `of=${disk}/ballast`, "bs=1k"]);

    const init = await scene.fcgivisor(["init", `${disk}/first.toml`]);
    expect(init.code).toBe(1);
    expect(init.stderr).toContain("hint: make room");
    expect(existsSync(`${disk}/first.toml`)).toBe(false);

    const spot = await tcpSpot(scene);
    const log = scene.path("fcgivisor.log");
    const config = scene.config({
      supervisor: { state_dir: `${disk}/run`, pid_file: scene.path("x.pid") },
      log: { file: log },
      pools: { www: barePool(scene, spot) },
    });
    expect(await scene.fcgivisor(["start", "-c", config])).toMatchObject({ code: 0 });
    expect(await scene.fcgivisor(["stop", "-c", config])).toMatchObject({ code: 0 });
    const text = await Bun.file(log).text();
    expect(text).toMatch(/disk\/run\/state\.json: cannot write the state file; trying again/);
    expect(text).toContain("ENOSPC");
  },
);

behaviour(
  "a default state_dir that somebody else has made is not used",
  { needs: ["root"] },
  async (scene) => {
    const { home, config } = await homeOf(scene);
    const folder = `${home}/fcgivisor`;
    mkdirSync(folder);
    const plain = scene.write(
      "plain.toml",
      (await Bun.file(config).text()).replace(/^\[s.*\n.*\n/, ""),
    );
    const start = () =>
      scene.command([...OURS, "start", "-c", plain], { env: { XDG_RUNTIME_DIR: home } });
    for (const [uid, mode] of [
      [12345, 0o777],
      [NOBODY, 0o777],
    ] as const) {
      chownSync(folder, uid, uid);
      chmodSync(folder, mode);
      const outcome = await start();
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain(`${folder}: the state directory can be changed by others`);
      expect(readdirSync(folder)).toEqual([]);
    }
    chmodSync(folder, 0o755);
    expect(await start()).toMatchObject({ code: 0 });
    const words = ["stop", "-c", plain];
    const stop = await scene.command([...OURS, ...words], { env: { XDG_RUNTIME_DIR: home } });
    expect(stop).toMatchObject({ code: 0 });
  },
);

behaviour(
  "a pointer that a killed supervisor left stands before no config, once its socket is gone",
  {},
  async (scene) => {
    const { supervisor, workers } = await startBare(scene);
    const { configFile } = supervisor;
    await crash(supervisor);
    for (const pid of workers) process.kill(pid, "SIGKILL");
    rmSync(scene.path("run"), { recursive: true });
    const text = readFileSync(configFile, "utf8");
    writeFileSync(configFile, text.replaceAll(scene.path("run"), scene.path("elsewhere")));
    const status = await scene.fcgivisor(["status", "-c", configFile]);
    expect(status).toMatchObject({ code: 3, stdout: "" });
    expect(status.stderr).toContain(`nobody answers on ${scene.path("elsewhere/admin.sock")}`);
  },
);
