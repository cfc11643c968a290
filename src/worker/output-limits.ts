// A bound on what the workers of a pool write into the log, so that none of them fills the disk: so many
// bytes a second on the average, and what that makes in a while at once. What is more is dropped and told.

import type { Emit, OutputLine } from "../event.ts";
import { after, now } from "../sys/clock.ts";

/** Bytes a second. */
export type OutputRate = number | "unlimited";

/** Seconds: so much of the rate may come at once. */
const BURST_S = 10;
/** While lines are dropped, it is told so often. */
const TELL_MS = 10_000;
/** What a line costs in the log besides its text, about. */
const LINE_OVERHEAD = 80;

interface Account {
  /** Bytes that may come now. */
  left: number;
  /** As of when. */
  at: number;
  /** Since it was last told. */
  dropped: { lines: number; bytes: number };
}

export class OutputLimits {
  private readonly rateOf: (pool: string) => OutputRate;
  private readonly output: (line: OutputLine) => void;
  private readonly emit: Emit;
  private readonly accounts = new Map<string, Account>();

  /** What passes goes to `output`. */
  constructor(
    rateOf: (pool: string) => OutputRate,
    output: (line: OutputLine) => void,
    emit: Emit,
  ) {
    this.rateOf = rateOf;
    this.output = output;
    this.emit = emit;
  }

  write(line: OutputLine): void {
    const rate = this.rateOf(line.pool);
    if (rate === "unlimited" || this.take(line, rate)) this.output(line);
  }

  /** Tells at once what has been dropped. */
  flush(): void {
    for (const pool of this.accounts.keys()) this.tell(pool);
  }

  /** Whether the line may pass. */
  private take({ pool, text }: OutputLine, rate: number): boolean {
    const time = now();
    const most = rate * BURST_S;
    const account = this.accounts.get(pool) ?? { left: most, at: time, dropped: NOTHING() };
    this.accounts.set(pool, account);
    account.left = Math.min(most, account.left + ((time - account.at) / 1000) * rate);
    account.at = time;
    const bytes = Buffer.byteLength(text) + LINE_OVERHEAD;
    if (bytes <= account.left) {
      account.left -= bytes;
      return true;
    }
    if (account.dropped.lines === 0) after(TELL_MS, () => this.tell(pool));
    account.dropped.lines++;
    account.dropped.bytes += bytes;
    return false;
  }

  private tell(pool: string): void {
    const account = this.accounts.get(pool)!;
    const { lines, bytes } = account.dropped;
    if (lines === 0) return;
    account.dropped = NOTHING();
    this.emit({ type: "output-dropped", pool, lines, bytes });
  }
}

const NOTHING = () => ({ lines: 0, bytes: 0 });
