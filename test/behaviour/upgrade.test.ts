// The running program is replaced by another: same process, same sockets, no request lost. A program
// that is not fit changes nothing, and one that turns out unfit only afterwards gives way to the old.

import { expect } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { allLeft, crash, recovered } from "../helper/crash.ts";
import { descriptorsAtRest, descriptorsFallTo } from "../helper/descriptors.ts";
import { holdPhp, type Held } from "../helper/gate.ts";
import { forEachPhp } from "../helper/php.ts";
import {
  barePool,
  bodyOf,
  gatedPool,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import {
  alive,
  childrenOf,
  commandOf,
  descriptorsOf,
  leadersAt,
  listenersAt,
  procLink,
  workersAt,
} from "../helper/processes.ts";
import { findProgram } from "../helper/packages.ts";
import { BINARY, textOf, type Outcome, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, type Settings } from "../helper/scene.ts";
import { runBare, startBare } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";
import { tap } from "../helper/tap.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

/** Another copy of the program, a file of its own. */
function copyOf(scene: Scene, name: string): string {
  const file = scene.path(name);
  mkdirSync(dirname(file), { recursive: true });
  copyFileSync(BINARY, file);
  chmodSync(file, 0o755);
  return file;
}

/** A shell script that answers some words by itself and hands all others to the real program. */
function wrapper(scene: Scene, cases: string): string {
  return scene.write(
    "wrapped",
    `#!/bin/sh\ncase "$1" in\n${cases}\nesac\nexec ${BINARY} "$@"\n`,
    0o755,
  );
}

/** A supervisor in the background, started from this file. */
async function startFrom(scene: Scene, binary: string, settings: Settings): Promise<Supervisor> {
  const config = scene.daemonConfig(settings);
  expect(await scene.command([binary, "start", "-c", config])).toMatchObject({ code: 0 });
  return scene.followDaemon(config);
}

async function upgraded(supervisor: Supervisor, ...binary: string[]): Promise<Outcome> {
  const outcome = await supervisor.control("upgrade", ...binary);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  expect(alive(supervisor.pid)).toBe(true);
  return outcome;
}

const PLACES = [
  ["TCP", (scene: Scene) => tcpSpot(scene)],
  ["a Unix socket", async (scene: Scene) => unixSpot(scene)],
] as const;

for (const [name, place] of PLACES) {
  forEachPhp(`upgrade to another file under load: ${name}`, {}, async (scene, php) => {
    const spot = await place(scene);
    const script = scene.fixture("php/hello.php");
    const supervisor = await scene.start({ pools: { www: php.pool(spot, { workers: 3 }) } });
    const old = await workersReach(spot, 3);
    const sockets = listenersAt(spot.where);
    const next = copyOf(scene, "fcgivisor-next");
    await underLoad(spot, { script }, async () => {
      const held = await holdPhp(scene, spot);
      const outcome = await upgraded(supervisor, next);
      expect(outcome.stdout).toContain(String(supervisor.pid));
      await allLeft(old.filter((pid) => pid !== held.worker));
      expect(alive(held.worker)).toBe(true);
      // No script has left it there.
      expect(await statusOf(supervisor)).toMatchObject({ pools: [{ background: 0 }] });
      await held.finish();
    });
    expect(procLink(supervisor.pid, "exe")).toBe(next);
    expect(textOf(scene.path("run/fcgivisor.pid")).trim()).toBe(String(supervisor.pid));
    expect(listenersAt(spot.where)).toEqual(sockets);
    const now = await workersReach(spot, 3);
    expect(now.some((pid) => old.includes(pid))).toBe(false);
    expect(leadersAt(spot.where).length).toBe(1);
  });
}

forEachPhp(
  "three upgrades in a row, under load, leak no descriptor and no process",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const other = unixSpot(scene);
    const script = scene.fixture("php/hello.php");
    const pools = { www: php.pool(spot), bare: barePool(scene, other) };
    const supervisor = await scene.start({ pools });
    const files = [copyOf(scene, "one"), copyOf(scene, "two")];
    await workersReach(other, 2);
    const first = await descriptorsAtRest(supervisor);
    await underLoad(spot, { script }, async () => {
      for (let i = 0; i < 3; i++) {
        await upgraded(supervisor, files[i % 2]!);
        expect(procLink(supervisor.pid, "exe")).toBe(files[i % 2]!);
        await workersReach(spot, 2);
        await workersReach(other, 2);
        // One leader of PHP and two of the other kind.
        await eventually(() => childrenOf(supervisor.pid).length === 3, {
          what: "only the workers of now are left",
        });
      }
    });
    await descriptorsFallTo(supervisor, first);
    expect(leadersAt(spot.where).length).toBe(1);
    const inherited = workersAt(other.where).flatMap((pid) => [...descriptorsOf(pid).keys()]);
    expect(Math.max(...inherited)).toBeLessThanOrEqual(2);
  },
);

behaviour(
  "an upgrade with more pools than a variable of execve(2) has room for",
  { needs: ["fcgiwrap"] },
  async (scene) => {
    const count = 450;
    const name = (i: number) => `${"many-".repeat(12)}${i}`;
    const spots = Array.from({ length: count }, (_, i) => unixSpot(scene, `p${i}.sock`));
    const command = [findProgram("fcgiwrap")!];
    const pools = spots.map(({ listen }, i) => [name(i), { listen, command, workers: 1 }]);
    const supervisor = await scene.start({ pools: Object.fromEntries(pools) });
    const before = workersAt(spots[0]!.where);
    // MAX_ARG_STRLEN
    expect(statSync(scene.path("run/state.json")).size).toBeGreaterThan(131_072);
    const outcome = await upgraded(supervisor);
    expect(outcome.stdout).toContain("upgraded");
    await allLeft(before);
    for (const spot of [spots[0]!, spots.at(-1)!]) await workersReach(spot, 1);
  },
);

behaviour("upgrade in place: the program's own file was replaced by mv", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const file = copyOf(scene, "bin/fcgivisor");
  const supervisor = await startFrom(scene, file, { pools: { www: barePool(scene, spot) } });
  const old = await workersReach(spot, 2);
  renameSync(copyOf(scene, "bin/fresh"), file);
  expect(procLink(supervisor.pid, "exe")).toContain("(deleted)");
  await underLoad(spot, {}, async () => {
    await upgraded(supervisor);
  });
  expect(procLink(supervisor.pid, "exe")).toBe(file);
  expect(statSync(`/proc/${supervisor.pid}/exe`).ino).toBe(statSync(file).ino);
  expect((await workersReach(spot, 2)).some((pid) => old.includes(pid))).toBe(false);
});

behaviour(
  "while the program's own file is gone or replaced, dead workers are still replaced and reloads work",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const file = copyOf(scene, "bin/fcgivisor");
    const pool = barePool(scene, spot, { nice: 1 });
    const supervisor = await startFrom(scene, file, { pools: { www: pool } });
    const before = await workersReach(spot, 2);
    renameSync(file, scene.path("bin/moved"));
    writeFileSync(file, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    for (const pid of before) process.kill(pid, "SIGKILL");
    await allLeft(before);
    await workersReach(spot, 2);
    rmSync(file);
    const reload = await supervisor.control("reload");
    expect(reload, reload.stderr).toMatchObject({ code: 0 });
    await workersReach(spot, 2);
    expect(await bodyOf(spot, {})).toContain("hello");
  },
);

/** All that must be the same after an upgrade that was refused. */
function standing({ pid }: Supervisor, spot: Spot) {
  return {
    exe: procLink(pid, "exe"),
    words: commandOf(pid),
    workers: workersAt(spot.where).toSorted((a, b) => a - b),
    sockets: listenersAt(spot.where),
  };
}

/** Takes note of all that, and gives what checks that nothing of it has changed, and nothing has leaked. */
async function unchanged(supervisor: Supervisor, spot: Spot): Promise<() => Promise<void>> {
  await workersReach(spot, 2);
  const [before, descriptors] = [standing(supervisor, spot), await descriptorsAtRest(supervisor)];
  return async () => {
    expect(standing(supervisor, spot)).toEqual(before);
    await descriptorsFallTo(supervisor, descriptors);
  };
}

interface Refused {
  readonly what: string;
  readonly binary: (scene: Scene) => string;
  readonly says: RegExp;
}

const REFUSED: readonly Refused[] = [
  { what: "another program", binary: () => "/bin/true", says: /not fcgivisor/ },
  { what: "one that fails", binary: () => "/bin/false", says: /does not run/ },
  { what: "a missing one", binary: (s) => s.path("nothing"), says: /cannot be executed/ },
  { what: "a folder", binary: (scene) => scene.dir, says: /cannot be executed/ },
  {
    what: "one that may not be executed",
    binary: (scene) => scene.write("plain", "#!/bin/sh\necho fcgivisor 9\n", 0o644),
    says: /cannot be executed/,
  },
  {
    what: "one of another machine",
    binary: (scene) => scene.write("alien", "\x7fELF\x02\x01\x01 nonsense", 0o755),
    says: /cannot be executed|does not run/,
  },
  {
    what: "one that does not accept the config",
    binary: (scene) => wrapper(scene, 'check) echo "pools.www: no such thing" >&2; exit 1;;'),
    says: /does not accept the config[^]*no such thing/,
  },
  {
    what: "one that reads older state only",
    binary: (scene) => wrapper(scene, "state-format) echo 0; exit 0;;"),
    says: /format 0/,
  },
  {
    what: "one that knows nothing of state",
    binary: (scene) => wrapper(scene, "state-format) exit 2;;"),
    says: /state/,
  },
];

behaviour(
  "an upgrade to what is no fit program is refused and changes nothing",
  {},
  async (scene) => {
    const { spot, supervisor } = await startBare(scene);
    const nothingChanged = await unchanged(supervisor, spot);
    for (const { what, binary, says } of REFUSED) {
      const file = binary(scene);
      const outcome = await supervisor.control("upgrade", file);
      expect(outcome, what).toMatchObject({ code: 1, stdout: "" });
      expect(outcome.stderr, what).toContain(file);
      expect(outcome.stderr, what).toMatch(says);
      await nothingChanged();
    }
    expect(await bodyOf(spot, {})).toContain("hello");
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  },
);

behaviour(
  "a config that is broken by now refuses the upgrade, with its line",
  {},
  async (scene) => {
    const { spot, supervisor } = await startBare(scene);
    const nothingChanged = await unchanged(supervisor, spot);
    writeFileSync(supervisor.configFile, '[pools.www]\nlisten = "127.0.0.1:9\n');
    const outcome = await supervisor.control("upgrade");
    expect(outcome).toMatchObject({ code: 1 });
    expect(outcome.stderr).toContain("fcgivisor.toml:2");
    await nothingChanged();
  },
);

behaviour("a config whose workers do not come up by now refuses the upgrade", {}, async (scene) => {
  const { spot, supervisor } = await startBare(scene);
  const nothingChanged = await unchanged(supervisor, spot);
  scene.rewrite({ pools: { www: barePool(scene, spot, {}, "die") } });
  const outcome = await supervisor.control("upgrade");
  expect(outcome).toMatchObject({ code: 1 });
  expect(outcome.stderr).toContain("last words of");
  await nothingChanged();
});

behaviour("upgrade of what is not running: exit 3", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const config = scene.config({ pools: { www: barePool(scene, spot) } });
  const outcome = await scene.fcgivisor(["upgrade", "-c", config]);
  expect(outcome).toMatchObject({ code: 3 });
});

interface Unfit {
  readonly what: string;
  /** What the wrapper does when it is to run: BINARY and BROKEN stand for files. */
  readonly does: string;
}

const UNFIT: readonly Unfit[] = [
  {
    what: "one whose workers do not come up",
    does: 'run) exec BINARY "$@" --quiet;;',
  },
  {
    what: "one that cannot read its config",
    does: "run) exec BINARY run --background -c BROKEN;;",
  },
  { what: "one that is called wrongly", does: "run) exec BINARY run --no-such-option;;" },
];

/** Works under any supervisor but one that was called with --quiet. */
function pickyProgram(scene: Scene): string {
  const text = `#!/bin/sh
if tr '\\0' '\\n' < /proc/$PPID/cmdline | grep -qx -e --quiet; then
  echo "no work under this program" >&2
  exit 3
fi
exec ${scene.fixture("fcgi/bare.pl")}
`;
  return scene.write("picky", text, 0o755);
}

behaviour(
  "a new program that turns out unfit goes back to the old one, and nothing is lost",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = { ...barePool(scene, spot), command: [pickyProgram(scene)] };
    const supervisor = await scene.start({ pools: { www: pool } });
    const exe = procLink(supervisor.pid, "exe");
    const sockets = listenersAt(spot.where);
    const broken = scene.write("broken.toml", "[pools.www\n");
    let descriptors = 0;
    await underLoad(spot, {}, async () => {
      for (const { what, does } of UNFIT) {
        const unfit = wrapper(scene, does.replace("BINARY", BINARY).replace("BROKEN", broken));
        const outcome = await supervisor.control("upgrade", unfit);
        expect(outcome, what).toMatchObject({ code: 1, stdout: "" });
        expect(outcome.stderr, what).toContain("the old one is back");
        expect(alive(supervisor.pid), what).toBe(true);
        expect(procLink(supervisor.pid, "exe"), what).toBe(exe);
        expect(listenersAt(spot.where), what).toEqual(sockets);
        await workersReach(spot, 2);
        descriptors ||= await descriptorsAtRest(supervisor);
      }
    });
    await upgraded(supervisor, copyOf(scene, "fit"));
    await workersReach(spot, 2);
    await descriptorsFallTo(supervisor, descriptors);
  },
);

behaviour(
  "a new program that ends at once: workers go on serving, the command says so, and start takes over",
  {},
  async (scene) => {
    const { spot, supervisor } = await startBare(scene);
    const sockets = listenersAt(spot.where);
    await underLoad(spot, {}, async () => {
      const outcome = await supervisor.control("upgrade", wrapper(scene, "run) exit 9;;"));
      expect(outcome).toMatchObject({ code: 1 });
      expect(outcome.stderr).toContain("fcgivisor start");
      await supervisor.gone();
      await recovered(scene, supervisor);
    });
    expect(listenersAt(spot.where)).toEqual(sockets);
    await workersReach(spot, 2);
  },
);

forEachPhp(
  "after an upgrade everything works as before: reload, kill -9 and start, quit",
  {},
  async (scene, php) => {
    const script = scene.fixture("php/hello.php");
    const { spot, supervisor: first } = await php.start(scene, {}, unixSpot(scene));
    let second = first;
    const next = copyOf(scene, "next");
    await underLoad(spot, { script }, async () => {
      await upgraded(first, next);
      expect(await first.control("reload")).toMatchObject({ code: 0 });
      await crash(first);
      second = await recovered(scene, first);
    });
    await upgraded(second, next);
    await quitsAfter(await holdPhp(scene, spot), second, spot);
    expect(existsSync(spot.listen)).toBe(false);
    expect(existsSync(scene.path("run"))).toBe(false);
  },
);

/** A quit that waits for a request in flight, whoever started its worker, and is done when that is. */
async function quitsAfter(held: Held, supervisor: Supervisor, spot: Spot): Promise<void> {
  const quit = supervisor.control("quit");
  await eventually(() => workersAt(spot.where).join() === `${held.worker}`, {
    what: "all but the busy worker have left",
  });
  expect(alive(supervisor.pid)).toBe(true);
  await held.finish();
  expect(await quit).toMatchObject({ code: 0 });
  await supervisor.gone();
}

forEachPhp(
  "quit right after an upgrade lets the requests in flight finish, of workers from before it",
  {},
  async (scene, php) => {
    const { spot, supervisor } = await php.start(scene);
    const held = await holdPhp(scene, spot);
    await upgraded(supervisor, copyOf(scene, "next"));
    await quitsAfter(held, supervisor, spot);
  },
);

behaviour("an upgrade in the foreground keeps process, log and terminal", {}, async (scene) => {
  const { spot, supervisor } = await runBare(scene);
  const outcome = await supervisor.control("upgrade", "--json", copyOf(scene, "next"));
  expect(outcome).toMatchObject({ code: 0 });
  expect(JSON.parse(outcome.stdout)).toMatchObject({ ok: true, report: { pid: supervisor.pid } });
  await eventually(() => supervisor.log().split("fcgivisor is ready").length === 3, {
    what: "the new program says so on the same stderr",
  });
  await workersReach(spot, 2);
  supervisor.signal("SIGTERM");
  await supervisor.gone();
});

behaviour(
  "an upgrade that waits behind another one says that it was not done",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const gate = scene.path("gate");
    const supervisor = await scene.start({ pools: { www: gatedPool(scene, spot, gate) } });
    scene.write("gate", "");
    const first = supervisor.control("upgrade");
    const upgrading = async () => (await statusOf(supervisor)).operation === "upgrade";
    await eventually(upgrading, { what: "the first upgrade waits for its worker" });
    const { path, heard } = await tap(scene, supervisor.socket);
    const second = supervisor.control("upgrade", "--socket", path);
    await eventually(() => heard().includes('"waiting"'), { what: "the second is told to wait" });
    rmSync(gate);
    expect(await first).toMatchObject({ code: 0 });
    const { code, stderr } = await second;
    expect(code, stderr).toBe(1);
    expect(stderr).toContain("another upgrade was done meanwhile");
    expect(await bodyOf(spot, {})).toContain("hello");
  },
);
