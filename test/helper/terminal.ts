// A program on a terminal: what is typed there, and what stands on the screen so far.

import { testEnvironment } from "./program.ts";
import type { Scene } from "./scene.ts";
import { eventually } from "./wait.ts";

export interface Terminal {
  readonly type: (text: string) => void;
  /** All that was written on it, without the sequences that move and colour; several blanks are one. */
  readonly screen: () => string;
  /** Resolves when this stands on it. */
  readonly shows: (text: string | RegExp) => Promise<void>;
  /** The program's exit code. */
  readonly exited: Promise<number>;
}

// Operating-system commands, control sequences (a move to the right counts as a blank), other escapes.
const MOVE = /\x1b\[\d*C/g;
const SEQUENCE =
  /\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?<=>]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>A-Z]/g;

/** Runs the program to its end or to the end of the test, in a folder of the scene's. */
export function onTerminal(
  scene: Scene,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Terminal {
  let written = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn([...command], {
    cwd: scene.dir,
    env: { ...testEnvironment(scene.dir), TERM: "xterm", ...env },
    terminal: {
      cols: 200,
      rows: 24,
      data: (_, data) => void (written += decoder.decode(data, { stream: true })),
    },
  });
  scene.atEnd(async () => {
    child.kill("SIGKILL");
    await child.exited;
    child.terminal?.close();
  });
  const screen = () =>
    written.replaceAll(MOVE, " ").replaceAll(SEQUENCE, "").replaceAll(/ +/g, " ");
  return {
    type: (text) => {
      try {
        child.terminal?.write(text);
      } catch {
        // The program has just ended, and the terminal with it.
      }
    },
    screen,
    shows: async (text) => {
      const there = () =>
        typeof text === "string" ? screen().includes(text) : text.test(screen());
      await eventually(there, { what: `the terminal shows ${text}` }).catch((error: unknown) => {
        throw new Error(`${String(error)}; it shows:\n${screen()}`);
      });
    },
    exited: child.exited,
  };
}
