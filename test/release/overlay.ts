// A root file system to install packages in: this machine's, with an overlay in memory on top, in namespaces of
// its own, so that nothing is left of it when its first process ends.

import { runCommand, type Outcome } from "../helper/program.ts";
import type { Scene } from "../helper/scene.ts";

/** $1: an empty folder; $2: the scene's, which is the same inside; $3: the script. */
const ENTER = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p ".$2"
mount --bind "$2" ".$2"
exec chroot . /bin/sh -c 'cd "$0" && . ./script' "$2"`;

/** Runs a script of sh's in there as root, and everything that it has started ends with it. */
export function inOverlay(scene: Scene, script: string): Promise<Outcome> {
  scene.write("script", script);
  scene.write("overlay/empty", "");
  const words = ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", ENTER, "sh"];
  return runCommand(scene.dir, [...words, scene.path("overlay"), scene.dir]);
}

/** What the script told by \`say NAME VALUE\`, which is defined for it here. */
export const SAY = `say() { printf '== %s=%s\\n' "$1" "$2"; }\n`;

export function said({ stdout }: Outcome): Readonly<Record<string, string>> {
  const lines = stdout.matchAll(/^== (\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map((line) => [line[1]!, line[2]!]));
}
