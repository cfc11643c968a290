// Messages to the service manager in the order they were meant, without ever waiting for it: what does
// not fit into its queue now is tried again soon. READY must not be lost; an old status may be.

import type { NotifySocket } from "../../sys/notify.ts";
import { after } from "../../sys/clock.ts";

export interface NotifyQueue {
  /** Lines of one message, and descriptors to go with it. No lines: nothing to tell. */
  send(lines: readonly string[], fds?: readonly number[]): void;
  /** Tries what is left once more, and ends. */
  close(): void;
}

interface Message {
  readonly text: string;
  readonly fds: readonly number[];
  /** A later one of these says all that it said. */
  readonly replaceable: boolean;
}

const RETRY_MS = 50;
/** A manager that takes nothing for so many messages is not going to. */
const MOST_WAITING = 256;

/** `onFailure` is called for the first message that could not be sent at all, and not again until one could. */
export function notifyQueue(
  socket: NotifySocket,
  onFailure: (error: unknown) => void,
): NotifyQueue {
  let waiting: Message[] = [];
  let failing = false;
  let cancelRetry: (() => void) | null = null;

  function flush(): void {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      if (attempt(first) === "later") {
        cancelRetry ??= after(RETRY_MS, () => {
          cancelRetry = null;
          flush();
        });
        return;
      }
      waiting.shift();
    }
  }

  function attempt({ text, fds }: Message): "sent" | "later" {
    try {
      const outcome = socket.send(text, fds);
      if (outcome === "sent") failing = false;
      return outcome;
    } catch (error) {
      if (!failing) onFailure(error);
      failing = true;
      return "sent";
    }
  }

  return {
    send(lines, fds = []) {
      if (lines.length === 0) return;
      const replaceable =
        fds.length === 0 && lines.every((line) => /^(STATUS|WATCHDOG)=/.test(line));
      const text = lines.map((line) => line.replaceAll("\n", " ")).join("\n");
      if (replaceable) waiting = waiting.filter((message) => !sameKind(message, text));
      if (waiting.length < MOST_WAITING) waiting.push({ text, fds, replaceable });
      flush();
    },
    close() {
      flush();
      cancelRetry?.();
      socket.close();
    },
  };
}

function sameKind(message: Message, text: string): boolean {
  return message.replaceable && message.text.split("=")[0] === text.split("=")[0];
}
