// Messages to the service manager in the order they were meant, without ever waiting for it: what does
// not fit into its queue now is tried again soon. READY must not be lost; an old status may be.

import type { NotifySocket } from "../../sys/notify.ts";
import { after } from "../../sys/clock.ts";

interface Message {
  readonly text: string;
  readonly fds: readonly number[];
  /** A later one of these says all that it said. */
  readonly replaceable: boolean;
}

const RETRY_MS = 50;
/** A manager that takes nothing for so many messages is not going to. */
const MOST_WAITING = 256;

/** The way to the manager. */
type Way = Pick<NotifySocket, "send" | "close">;

export class MessageQueue {
  private readonly socket: Way;
  private readonly onFailure: (error: unknown) => void;
  private waiting: Message[] = [];
  private failing = false;
  private cancelRetry: (() => void) | null = null;

  /** `onFailure` is called for the first message that could not be sent at all, and not again until one could. */
  constructor(socket: Way, onFailure: (error: unknown) => void) {
    this.socket = socket;
    this.onFailure = onFailure;
  }

  /** Lines of one message, and descriptors to go with it. No lines: nothing to tell. */
  send(lines: readonly string[], fds: readonly number[] = []): void {
    if (lines.length === 0) return;
    const replaceable = fds.length === 0 && lines.every((line) => /^(STATUS|WATCHDOG)=/.test(line));
    const text = lines.map((line) => line.replaceAll("\n", " ")).join("\n");
    if (replaceable) this.waiting = this.waiting.filter((message) => !sameKind(message, text));
    if (this.waiting.length < MOST_WAITING) this.waiting.push({ text, fds, replaceable });
    this.flush();
  }

  /** Tries what is left once more, and ends. */
  close(): void {
    this.flush();
    this.cancelRetry?.();
    this.socket.close();
  }

  private flush(): void {
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      if (this.attempt(first) === "later") return this.flushLater();
      this.waiting.shift();
    }
  }

  private flushLater(): void {
    this.cancelRetry ??= after(RETRY_MS, () => {
      this.cancelRetry = null;
      this.flush();
    });
  }

  private attempt({ text, fds }: Message): "sent" | "later" {
    try {
      const outcome = this.socket.send(text, fds);
      if (outcome === "sent") this.failing = false;
      return outcome;
    } catch (error) {
      if (!this.failing) this.onFailure(error);
      this.failing = true;
      return "sent";
    }
  }
}

function sameKind(message: Message, text: string): boolean {
  return message.replaceable && message.text.split("=")[0] === text.split("=")[0];
}
