// What the workers of a group write to stdout and stderr, line by line, each with its writer; and the
// last lines, for when somebody has to be told why it failed.

import type { PoolConfig } from "../config/model.ts";
import type { OutputLine } from "../event.ts";
import { Tail } from "../log/tail.ts";
import { LineAssembler } from "../log/worker-output.ts";
import { OutputChannel } from "../sys/output-channel.ts";

const MAX_LINE_BYTES = 65536;
const TAIL_LINES = 5;

export class WorkerOutput {
  private readonly channel: OutputChannel;
  private readonly lines: LineAssembler;
  private readonly lastLines = new Tail(TAIL_LINES);

  /** Lines go to `output`, unless the pool's log_output says no. */
  constructor(
    { name, logOutput }: Pick<PoolConfig, "name" | "logOutput">,
    output: (line: OutputLine) => void,
  ) {
    this.lines = new LineAssembler({
      maxLine: MAX_LINE_BYTES,
      onLine: (pid, text) => {
        this.lastLines.push(text);
        if (logOutput) output({ pool: name, pid, text });
      },
    });
    this.channel = OutputChannel.open(
      (pid, chunk) => this.lines.feed(pid, chunk),
      () => this.lines.end(),
    );
  }

  /** The workers' end, for their descriptors 1 and 2. */
  get workerEnd(): number {
    return this.channel.workerEnd;
  }

  /** To be called when the workers have their end. */
  handedOut(): void {
    this.channel.closeWorkerEnd();
  }

  /** Reads what is there now. */
  drain(): void {
    this.channel.drain();
  }

  /** The last lines they wrote, those of this moment included. */
  tail(): string[] {
    this.drain();
    return this.lastLines.lines;
  }

  close(): void {
    this.channel.close();
  }
}
