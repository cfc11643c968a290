// A real systemd for one test: its user manager (never an init) in namespaces of its own, with a /run and
// a control group of its own, so that it sees and touches nothing but what the test gives it. Run by
// root, it applies units as the system's does, hardening included; only User= means nothing to it.

import { childrenOf, statusField } from "./processes.ts";
import type { Outcome } from "./program.ts";
import type { Scene } from "./scene.ts";
import { eventually } from "./wait.ts";

export interface Systemd {
  /** Writes a unit and has all of them read again. */
  readonly unit: (name: string, text: string) => Promise<void>;
  /** `systemctl` with these words. */
  readonly ctl: (...words: string[]) => Promise<Outcome>;
  /** A property of a unit, as `systemctl show` tells it. */
  readonly show: (unit: string, property: string) => Promise<string>;
  /** A command as the manager's services see the machine. */
  readonly inside: (...words: string[]) => Promise<Outcome>;
}

const MANAGER = "/lib/systemd/systemd";
const CGROUP = "/sys/fs/cgroup";

/** Puts itself into a control group of its own, and goes on in namespaces of its own. $1: scratch folder, $2: group. */
const OUTER = `set -e
mkdir -p "$1/cgroup"
mount -t cgroup2 cgroup2 "$1/cgroup"
mkdir "$1/cgroup/$2"
echo $$ > "$1/cgroup/$2/cgroup.procs"
umount "$1/cgroup"
exec unshare --pid --fork --kill-child --mount --mount-proc --cgroup sh -c "$3" sh "$1"`;

const INNER = `set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user/0 "$1/home/.config/systemd/user"
mount -t tmpfs tmpfs ${CGROUP}
mount -t cgroup2 cgroup2 ${CGROUP}
# What the system's own manager makes for units that hide things.
ln -s /run/user/0/systemd/inaccessible /run/systemd/inaccessible
export XDG_RUNTIME_DIR=/run/user/0 HOME="$1/home"
# It would log to the machine's own console.
export SYSTEMD_LOG_TARGET=null
printf '[Unit]\\nDescription=nothing\\n' > "$HOME/.config/systemd/user/basic.target"
${MANAGER} --user --unit=basic.target &
wait`;

/** Removes the control group again, or fails while somebody is in it; all have been killed. */
const SWEEP = `mkdir -p "$1/cgroup"
mount -t cgroup2 cgroup2 "$1/cgroup" || exit 1
[ ! -d "$1/cgroup/$2" ] || find "$1/cgroup/$2" -depth -type d -exec rmdir {} +`;

export async function systemd(scene: Scene): Promise<Systemd> {
  const scratch = scene.path("systemd");
  const group = `fcgivisor-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const sweep = ["unshare", "--mount", "sh", "-c", SWEEP, "sh", scratch, group];
  scene.atEnd(async () => {
    await eventually(async () => (await scene.command(sweep)).code === 0, { what: "it is swept" });
  });
  const child = scene.spawn(
    ["unshare", "--mount", "sh", "-c", OUTER, "sh", scratch, group, INNER],
    {},
  );
  const first = await eventually(() => childrenOf(child.pid).find(isFirstOfItsKind), {
    what: "systemd's namespaces are there",
  });
  // unshare waits for it, whatever it is sent itself.
  scene.atEnd(() => void process.kill(first, "SIGKILL"));
  const inside = (...words: string[]) =>
    scene.command([
      "nsenter",
      "-t",
      String(first),
      "-m",
      "-p",
      "-C",
      "env",
      "XDG_RUNTIME_DIR=/run/user/0",
      ...words,
    ]);
  const ctl = (...words: string[]) => inside("systemctl", "--user", "--no-pager", ...words);
  let last: Outcome | null = null;
  await eventually(
    async () => (last = await ctl("is-system-running")).stdout.trim() === "running",
    { what: "systemd runs" },
  ).catch((error: unknown) => {
    throw new Error(`${error}\n${JSON.stringify(last)}\n${child.stderr()}`);
  });
  return {
    ctl,
    inside,
    async unit(name, text) {
      scene.write(`systemd/home/.config/systemd/user/${name}`, text);
      const reload = await ctl("daemon-reload");
      if (reload.code !== 0) throw new Error(reload.stderr);
    },
    show: async (unit, property) =>
      (await ctl("show", unit, "--value", "-p", property)).stdout.trim(),
  };
}

/** Process 1 of a namespace of its own. */
function isFirstOfItsKind(pid: number): boolean {
  return statusField(pid, "NSpid").split(/\s+/)[1] === "1";
}

let runs: boolean | null = null;

/** Whether one can run here: needs root, namespaces, and a control group to give away. */
export function systemdRuns(): boolean {
  runs ??=
    Bun.spawnSync(
      [
        "unshare",
        "--mount",
        "sh",
        "-c",
        `[ -x ${MANAGER} ] && d=$(mktemp -d) && mount -t cgroup2 cgroup2 "$d" && mkdir "$d/fcgivisor-probe-$$" && rmdir "$d/fcgivisor-probe-$$" && umount "$d" && rmdir "$d" && unshare --pid --fork --mount --mount-proc --cgroup true`,
      ],
      { stderr: "ignore", stdout: "ignore" },
    ).exitCode === 0;
  return runs;
}
