// The terminal as a whole: a screen of its own for as long as it is watched, keys one by one, and at the end everything
// as it was, however it ends.

import { STDOUT, type TerminalSize, terminalSize } from "../../../sys/terminal.ts";
import { printAsItIs } from "../../print.ts";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
/** A terminal that knows this shows a frame at once, when it is whole; others pass over it. */
const [BEGIN, END] = ["\x1b[?2026h", "\x1b[?2026l"];
const TO_TOP = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
const ENDING = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"] as const;
const SMALLEST: TerminalSize = { columns: 80, rows: 24 };

export class Screen {
  private readonly onKey: (key: string) => void;
  private readonly onResize: () => void;
  private readonly onSignal: () => void;
  private readonly take = (bytes: Buffer) => {
    for (const key of keysIn(bytes.toString("latin1"))) this.onKey(key);
  };

  /** `onEnd`: somebody asks the program to end. */
  constructor(handlers: {
    readonly onKey: (key: string) => void;
    readonly onResize: () => void;
    readonly onEnd: () => void;
  }) {
    this.onKey = handlers.onKey;
    this.onResize = handlers.onResize;
    this.onSignal = handlers.onEnd;
  }

  get size(): TerminalSize {
    return terminalSize(STDOUT) ?? SMALLEST;
  }

  open(): void {
    for (const signal of ENDING) process.on(signal, this.onSignal);
    process.on("SIGWINCH", this.onResize);
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    process.stdin.on("data", this.take);
    process.stdin.resume();
    printAsItIs(ENTER);
  }

  /** False when the terminal has gone. Written over what is there, line by line, so that nothing flickers. */
  show(lines: readonly string[]): boolean {
    const text = lines.map((line) => `${line}${CLEAR_LINE}`).join("\r\n");
    return printAsItIs(`${BEGIN}${TO_TOP}${text}${CLEAR_BELOW}${END}`);
  }

  close(): void {
    printAsItIs(LEAVE);
    process.stdin.off("data", this.take);
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.pause();
    process.off("SIGWINCH", this.onResize);
    for (const signal of ENDING) process.off(signal, this.onSignal);
  }
}

/** An arrow is three bytes. */
function keysIn(text: string): string[] {
  return text.match(/\x1b\[[A-Z]|[\s\S]/g) ?? [];
}
