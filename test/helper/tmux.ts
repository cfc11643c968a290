// A terminal of the test's own, in a tmux server of its own: what a person would see on it, and the keys that he
// would press.

import { rmSync } from "node:fs";
import { findProgram } from "./packages.ts";
import { testEnvironment } from "./program.ts";
import type { Scene } from "./scene.ts";

export interface Terminal {
  /** What is on the screen, line by line; blanks at the ends of lines are left out. */
  readonly screen: () => string[];
  /** By their names in tmux: `q`, `Down`, `C-c`. */
  readonly press: (key: string) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** The value of a tmux format, such as `#{alternate_on}`. */
  readonly ask: (format: string) => string;
  /** All that was written to the terminal from now on goes to this file, as it was written. */
  readonly record: (file: string) => void;
}

/** A shell command on a terminal of this size; a `sh` follows it, so that what is left can be seen. */
export function terminal(
  scene: Scene,
  command: string,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): Terminal {
  const socket = scene.path("tmux.sock");
  const env = {
    ...testEnvironment(scene.dir),
    LC_ALL: "C.UTF-8",
    TERM: "xterm-256color",
    PS1: "$ ",
  };
  const tmux = (...words: string[]): string => {
    const command = [findProgram("tmux")!, "-u", "-f", "/dev/null", "-S", socket, ...words];
    const { stdout, stderr, exitCode } = Bun.spawnSync(command, { env, cwd: scene.dir });
    if (exitCode !== 0) throw new Error(`tmux ${words[0]}: ${stderr}`);
    return stdout.toString();
  };
  const size = ["-x", String(columns), "-y", String(rows)];
  tmux("new-session", "-d", ...size, `${command}; exec sh`);
  scene.atEnd(() => {
    tmux("kill-server");
    rmSync(socket, { force: true });
  });
  return {
    screen: () => tmux("capture-pane", "-p").split("\n").slice(0, -1),
    press: (key) => void tmux("send-keys", key),
    resize: (x, y) => void tmux("resize-window", "-x", String(x), "-y", String(y)),
    ask: (format) => tmux("display-message", "-p", format).trim(),
    record: (file) => void tmux("pipe-pane", `cat >${file}`),
  };
}
