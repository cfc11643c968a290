// What surrounds a worker and must not reach it, or must not leave it: the environment of root, what `ps`
// shows, limits, rights. Seen from inside, or read from /proc of the real process.

import { expect } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hold } from "../helper/gate.ts";
import { limitOfGroup } from "../helper/kernel.ts";
import { barePool, bodyOf, phpPool, type Spot, tcpSpot, workersReach } from "../helper/pool.ts";
import { commandOf, environmentOf, leadersAt, procText, statusField } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;
const ROOT = { needs: ["root"] } as const;

async function oneWorker(scene: Scene, extra: Record<string, unknown>, env = {}): Promise<number> {
  const spot = await tcpSpot(scene);
  await scene.run({ pools: { www: barePool(scene, spot, { workers: 1, ...extra }) } }, { env });
  return (await workersReach(spot, 1))[0]!;
}

behaviour("clear_env = false: whose environment it was does not show", ROOT, async (scene) => {
  const hidden = {
    SSH_CONNECTION: "192.0.2.1 22",
    SUDO_USER: "somebody",
    CREDENTIALS_DIRECTORY: "/run/credentials",
    BUN_INSTALL: "/root/.bun",
    FDSTORE: "1",
    MEMORY_PRESSURE_WATCH: "/sys",
    MAINPID: "1",
  };
  const given = { ...hidden, HOME: "/root", USER: "root", FV_GIVEN: "handed down" };
  const pid = await oneWorker(scene, { clear_env: false, user: "www-data" }, given);
  const seen = environmentOf(pid);
  expect(seen).toMatchObject({ FV_GIVEN: "handed down", HOME: "/var/www", USER: "www-data" });
  expect(Object.keys(seen).filter((name) => name in hidden)).toEqual([]);
});

behaviour("what steers Bun is not handed on to the process that serves", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const env = { BUN_OPTIONS: "--smol", BUN_INSPECT: "" };
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } }, { env });
  const names = Object.keys(environmentOf(supervisor.pid));
  expect(names.filter((name) => /^BUN_/.test(name) && !name.startsWith("BUN_JSC_"))).toEqual([]);
});

behaviour("an environment may be longer than one variable can be", ROOT, async (scene) => {
  const long = Object.fromEntries(["A", "B", "C"].map((name) => [name, name.repeat(100_000)]));
  const pid = await oneWorker(scene, { env: long });
  expect(environmentOf(pid)).toMatchObject(long);
});

behaviour(
  "a password among php.defines is not in the arguments of any process",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const path = "tcp://127.0.0.1:6379?auth=se'cr\"et";
    const defines = { "session.save_path": path, display_errors: "0" };
    await scene.run({ pools: { www: phpPool(spot, { php: { defines } }) } });
    const pids = [...(await workersReach(spot, 2)), ...leadersAt(spot.where)];
    expect(pids.map((pid) => commandOf(pid).join(" ")).join()).not.toContain("auth");
    const code = `<?php echo ini_get("session.save_path"), " ", ini_get("display_errors");`;
    expect(await bodyOf(spot, { script: scene.write("www/ini.php", code) })).toBe(`${path} 0`);
  },
);

behaviour(
  "how many files are open is bounded, whatever the supervisor may have",
  ROOT,
  async (scene) => {
    const pid = await oneWorker(scene, {});
    const [, soft, hard] = /^Max open files +(\d+) +(\d+) /m.exec(procText(pid, "limits"))!;
    // The usual 1024 and 4096, or, where root may not set the limits of others, what it has itself.
    if (Number(soft) === 1024) expect(Number(hard)).toBe(4096);
    else expect(Number(hard)).toBeLessThanOrEqual(65_536);
  },
);

behaviour("limits of processes and of memory", ROOT, async (scene) => {
  const pid = await oneWorker(scene, { rlimit_processes: 2000, rlimit_memory: "1G" });
  const limits = procText(pid, "limits");
  expect(limits).toMatch(/^Max processes +2000 +2000 /m);
  expect(limits).toMatch(/^Max address space +1073741824 +1073741824 /m);
});

behaviour("no_new_privs: no rights are gained, and no capability can be", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  await scene.run({ pools: { www: phpPool(spot, { no_new_privs: true }) } });
  for (const pid of [...(await workersReach(spot, 2)), ...leadersAt(spot.where)]) {
    expect(statusField(pid, "NoNewPrivs")).toBe("1");
    if (process.getuid!() === 0) expect(BigInt(`0x${statusField(pid, "CapBnd")}`)).toBe(0n);
  }
  const code = `<?php echo shell_exec("grep NoNewPrivs /proc/self/status");`;
  expect(await bodyOf(spot, { script: scene.write("www/rights.php", code) })).toMatch(/\s1$/m);
});

behaviour("without no_new_privs a setgid sendmail still works", ROOT, async (scene) => {
  expect(statusField(await oneWorker(scene, {}), "NoNewPrivs")).toBe("0");
});

behaviour("limits of a pool's control group: set, or told why not", ROOT, async (scene) => {
  const spot = await tcpSpot(scene);
  const pool = barePool(scene, spot, { memory_max: "512M" });
  const supervisor = await scene.start({ pools: { www: pool } });
  scene.rewrite({ pools: { www: { ...pool, pids_max: 100 } } });
  const { code, stdout } = await supervisor.control("reload");
  expect(code).toBe(0);
  const [worker] = await workersReach(spot, 2);
  for (const { setting, file, value, told } of [
    { setting: "memory_max", file: "memory.max", value: 2 ** 29, told: supervisor.log() },
    { setting: "pids_max", file: "pids.max", value: 100, told: stdout },
  ]) {
    const set = limitOfGroup(worker!, file);
    if (set !== null) expect(set).toBe(String(value));
    const without = told.includes(`pool www: ${setting} has no effect, because`);
    expect(without, `${setting}: ${told}`).toBe(set === null);
  }
});

for (const [how, extra] of [
  ["started directly", {}],
  ["started through the shim", { nice: 1 }],
] as const)
  behaviour(
    `a worker is no dearer to the out-of-memory killer than others, ${how}`,
    { needs: ["root", "a lower oom_score_adj"] },
    async (scene) => {
      const dear = 'echo -500 > /proc/self/oom_score_adj; exec "$@"';
      const spot = await tcpSpot(scene);
      const pools = { www: barePool(scene, spot, extra) };
      const supervisor = await scene.run({ pools }, { under: ["sh", "-c", dear, "sh"] });
      const scoreOf = (pid: number) => procText(pid, "oom_score_adj").trim();
      expect(scoreOf(supervisor.pid)).toBe("-500");
      for (const pid of await workersReach(spot, 2))
        await eventually(() => scoreOf(pid) === "0", { what: `${pid} is as dear as others` });
    },
  );

/** keyctl(2) and add_key(2), which only architectures number. */
const [KEYCTL, ADD_KEY] = process.arch === "arm64" ? [219, 217] : [250, 248];
/** Joins a session keyring of its own, puts a key into it, and becomes what its arguments say. */
const WITH_KEY = `my @key = ("user", "fv-secret", "x"); syscall(${KEYCTL}, 1, 0); syscall(${ADD_KEY}, @key, 1, -3) > 0 or die "add_key: $!"; exec @ARGV;`;
/** Looks for that key in the session keyring (KEYCTL_SEARCH). */
const LOOK = `my @key = ("user", "fv-secret"); print STDERR syscall(${KEYCTL}, 10, -3, @key, 0) > 0 ? "has" : "has no", " key\\n"; `;

for (const [how, extra] of [
  ["started directly", {}],
  ["started through the shim", { nice: 1 }],
] as const) {
  behaviour(
    `the keys of whoever started the supervisor are not a worker's, ${how}`,
    { needs: ["root", "keyrings"] },
    async (scene) => {
      const under = ["perl", "-e", WITH_KEY];
      // It is there for what inherits it.
      const child = await scene.command([...under, "perl", "-e", LOOK]);
      expect(child.stderr).toBe("has key\n");
      const spot = await tcpSpot(scene);
      const bare = barePool(scene, spot, extra);
      const command = ["perl", "-e", `${LOOK} exec @ARGV`, ...(bare["command"] as string[])];
      const pools = { www: { ...bare, workers: 1, command } };
      const supervisor = await scene.run({ pools }, { under });
      await supervisor.logged("has no key");
      expect(supervisor.log()).not.toContain("has key");
    },
  );
}

const MOUNTING = { needs: ["php-cgi", "root", "mounting"] } as const;

/** A folder that anybody may write in, outside /tmp. */
function openFolderElsewhere(scene: Scene): string {
  const dir = mkdtempSync("/var/opt/fv-");
  chmodSync(dir, 0o777);
  scene.atEnd(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Writes a file of this path, and says what is in its folder then. */
const WRITE = `<?php
$path = $_SERVER["QUERY_STRING"];
echo @file_put_contents($path, "x") ? "written" : "refused", " ", implode(",", array_diff(scandir(dirname($path)), [".", ".."]));`;

behaviour(
  "private_tmp: a script sees no other's files in /tmp, nor others its",
  MOUNTING,
  async (scene) => {
    const dir = openFolderElsewhere(scene);
    const script = scene.write(`${dir}/write.php`, WRITE);
    const [mine, other] = [await tcpSpot(scene), await tcpSpot(scene)];
    const pool = (spot: Spot) => phpPool(spot, { private_tmp: true });
    const supervisor = await scene.start({ pools: { mine: pool(mine), other: pool(other) } });
    for (const tmp of ["/tmp", "/var/tmp"]) {
      const name = dir.replace("/var/opt/", "");
      const query = `${tmp}/${name}`;
      expect(await bodyOf(mine, { script, query })).toBe(`written ${name}`);
      expect(await bodyOf(other, { script, query: `${query}-2` })).toBe(`written ${name}-2`);
      expect(existsSync(query)).toBe(false);
    }
    // A worker with mounts of its own is looked into as any other.
    const gated = scene.write(
      `${dir}/gate.php`,
      readFileSync(scene.fixture("php/gate.php"), "utf8"),
    );
    const held = await hold({ path: () => dir }, mine, { script: gated });
    expect((await supervisor.control("status")).stdout).toContain("GET /gate.php");
    await held.finish();
  },
);

behaviour("read_only: a script writes only where writable lets it", MOUNTING, async (scene) => {
  const [closed, open] = [openFolderElsewhere(scene), openFolderElsewhere(scene)];
  const script = scene.write(`${closed}/write.php`, WRITE);
  const spot = await tcpSpot(scene);
  const extra = { read_only: true, writable: [open], private_tmp: true };
  await scene.run({ pools: { www: phpPool(spot, extra) } });
  const write = (query: string) => bodyOf(spot, { script, query });
  expect(await write(`${closed}/new`)).toBe("refused write.php");
  expect(await write(`${open}/new`)).toBe("written new");
  expect(existsSync(`${open}/new`)).toBe(true);
  expect(await write("/dev/shm/new")).toStartWith("refused");
  expect(await write("/tmp/new")).toBe("written new");
});

behaviour("a folder of writable that is missing is told", MOUNTING, async (scene) => {
  const spot = await tcpSpot(scene);
  const extra = { read_only: true, writable: ["/nonexistent"] };
  const config = scene.config({ pools: { www: phpPool(spot, extra) } });
  const { code, stderr } = await scene.fcgivisor(["start", "-c", config]);
  expect(code).toBe(1);
  expect(stderr).toContain("writable: /nonexistent is not a directory");
});

behaviour("without the right to mount the start says what it takes", MOUNTING, async (scene) => {
  const pool = phpPool(await tcpSpot(scene), { private_tmp: true });
  const config = scene.config({ pools: { www: pool } });
  const under = ["setpriv", "--bounding-set", "-sys_admin", "--", BINARY];
  const { code, stderr } = await scene.command([...under, "start", "-c", config]);
  expect(code).toBe(1);
  expect(stderr).toContain("cannot have mounts of its own (give it CAP_SYS_ADMIN,");
});
