// What the workers of a group say: their stdout and stderr, line by line, each with its writer; and
// the last lines, for when one has to be told why it failed.

import type { PoolConfig } from "../config/model.ts";
import type { OutputLine } from "../event.ts";
import { Tail } from "../log/tail.ts";
import { LineAssembler } from "../log/worker-output.ts";
import { type OutputChannel, openOutputChannel } from "../sys/output-channel.ts";

const MAX_LINE_BYTES = 65536;
const TAIL_LINES = 5;

export interface Voice {
  readonly channel: OutputChannel;
  /** The last lines they wrote, the very last ones included. */
  lastWords(): string[];
}

/** Lines go to `output`, unless the pool's log_output says no. */
export function openVoice(
  { name, logOutput }: Pick<PoolConfig, "name" | "logOutput">,
  output: (line: OutputLine) => void,
): Voice {
  const tail = new Tail(TAIL_LINES);
  const lines = new LineAssembler({
    maxLine: MAX_LINE_BYTES,
    onLine: (pid, text) => {
      tail.push(text);
      if (logOutput) output({ pool: name, pid, text });
    },
  });
  const channel = openOutputChannel(
    (pid, chunk) => lines.feed(pid, chunk),
    () => lines.end(),
  );
  return {
    channel,
    lastWords() {
      channel.drain();
      return tail.lines;
    },
  };
}
