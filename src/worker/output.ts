// What the workers of a group write to stdout and stderr, line by line, each with its writer; and the
// last lines, for when somebody has to be told why it failed.

import type { PoolConfig } from "../config/model.ts";
import type { OutputLine } from "../event.ts";
import { Tail } from "../log/tail.ts";
import type { LogLevel } from "../log/settings.ts";
import { LINE_CONTINUES, LineAssembler } from "../log/worker-output.ts";
import { continuesPhpMessage, phpLevel } from "../runtime/php-message.ts";
import type { OutputNews, OutputReading, Runtime, WrittenLine } from "../runtime/runtime.ts";
import { OutputChannel } from "../sys/output-channel.ts";

const MAX_LINE_BYTES = 65536;
const TAIL_LINES = 5;

export interface OutputListeners {
  readonly onLine: (line: OutputLine) => void;
  readonly onNews: (news: OutputNews) => void;
}

export class WorkerOutput {
  /** Pid of the process that was spawned. */
  leader = 0;
  private readonly forks: boolean;
  private readonly channel: OutputChannel;
  private readonly lines: LineAssembler;
  private readonly lastLines = new Tail(TAIL_LINES);

  /** The level of what its last message of PHP began with, for the lines that go on with it. */
  private messageLevel: LogLevel | null = null;
  private readonly pool: Pick<PoolConfig, "name" | "logOutput">;
  private readonly read: (line: WrittenLine) => OutputReading;
  private readonly listeners: OutputListeners;

  /** Lines go to `onLine`, unless the pool's log_output says no. */
  constructor(
    pool: Pick<PoolConfig, "name" | "logOutput">,
    { readLine = asText }: Pick<Runtime, "readLine">,
    forks: boolean,
    listeners: OutputListeners,
  ) {
    this.pool = pool;
    this.forks = forks;
    this.read = readLine;
    this.listeners = listeners;
    const onLine = (pid: number, text: string) => this.take(pid, text);
    this.lines = new LineAssembler({ maxLine: MAX_LINE_BYTES, onLine });
    this.channel = OutputChannel.open(
      (pid, chunk) => this.lines.feed(pid, chunk),
      () => this.lines.end(),
    );
  }

  /** The workers' end, for their descriptors 1 and 2. */
  get workerEnd(): number {
    return this.channel.workerEnd;
  }

  /** Inode of the socket that they write to. */
  get inode(): string {
    return this.channel.inode;
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

  private take(writer: number, written: string): void {
    const reading = this.read({ text: written, byLeader: writer === this.leader });
    const { pid, isCut = false, news } = reading;
    const text = isCut ? `${reading.text}${LINE_CONTINUES}` : reading.text;
    const level = this.levelOf(reading);
    // Of why it failed the usual tells nothing.
    if (level !== "debug") this.lastLines.push(text);
    const { name, logOutput } = this.pool;
    if (logOutput) {
      const byLeader = this.forks && pid === null && writer === this.leader;
      this.listeners.onLine({ pool: name, pid: pid ?? writer, byLeader, level, text });
    }
    if (news !== undefined) this.listeners.onNews(news);
  }

  private levelOf({ text, level }: OutputReading): LogLevel | null {
    if (level === null && continuesPhpMessage(text)) return this.messageLevel;
    return (this.messageLevel = level);
  }
}

function asText({ text }: WrittenLine): OutputReading {
  return { pid: null, text, level: phpLevel(text) };
}
