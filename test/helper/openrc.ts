// A real OpenRC for one test: its programs laid over this machine's files in a mount namespace of
// their own, with a /run of their own, so that nothing of it is left when the namespace is.

import type { Scene } from "./scene.ts";
import { UNPACKED } from "./packages.ts";

/** $1: folder for the overlay; $2: what is laid over; $3: name of the overlay's root. */
const OVERLAY = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/add" "$1/up" "$1/work" "$1/root"
mkdir "$1/add/usr"
if [ -d "$2" ]; then
    cp -a "$2/etc" "$1/add/"
    for part in bin sbin lib; do cp -a "$2/$part" "$1/add/usr/"; done
fi
mount -t overlay overlay -o "lowerdir=$1/add:/,upperdir=$1/up,workdir=$1/work" "$1/root"`;

const ENTER = `${OVERLAY}
cd "$1/root"
for place in proc sys dev tmp; do mount --rbind "/$place" "$place"; done
mount -t tmpfs tmpfs run
for state in exclusive daemons options starting started stopping inactive failed scheduled tmp; do
    mkdir -p "run/openrc/$state"
done
echo default > run/openrc/softlevel
cp "$3" etc/init.d/fcgivisor
chmod 755 etc/init.d/fcgivisor
shift 3
exec chroot . /bin/sh -c 'for word; do rc-service fcgivisor "$word"; echo "$word: $?"; done' sh "$@"`;

/** Whether / can be laid under something else here. */
export function canOverlay(): boolean {
  const script = `d=$(mktemp -d) && sh -c "$0" sh "$d" /nowhere; code=$?; umount "$d"; rmdir "$d"; exit $code`;
  const words = ["unshare", "-m", "sh", "-c", script, OVERLAY];
  return Bun.spawnSync(words, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}

/** Runs the words of an OpenRC script, one after the other, and gives the exit code of each. */
export async function rcService(
  scene: Scene,
  script: string,
  words: readonly string[],
): Promise<{ readonly codes: [word: string, code: number][]; readonly said: string }> {
  const place = scene.path("openrc-root");
  await scene.command(["mkdir", "-p", place]);
  const given = [place, UNPACKED, script, ...words];
  const { stdout, stderr } = await scene.command([
    "unshare",
    "-m",
    "sh",
    "-c",
    ENTER,
    "sh",
    ...given,
  ]);
  const lines = stdout.matchAll(/^(\w+): (\d+)$/gm);
  return {
    codes: [...lines].map((line) => [line[1]!, Number(line[2])]),
    said: `${stdout}\n${stderr}`,
  };
}
