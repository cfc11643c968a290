// One operation at a time, in the order they came, each told to the log. stop and quit do not wait:
// they abort what is in progress and turn away what waits behind it.

import type { Emit } from "../../event.ts";
import { asFault, Fault } from "../../fault.ts";
import { now } from "../../sys/clock.ts";
import type { Report, ProgressStep } from "./report.ts";

export type Tell = (step: ProgressStep) => void;

/** An operation as somebody has asked for it. */
export interface Order {
  readonly operation: "reload" | "rollback" | "restart" | "logrotate" | "upgrade";
  /** Who asked. */
  readonly by: string;
  /** What it is about, for the log. */
  readonly detail: string;
  readonly tell: Tell;
}

/**
 * What it does, up to where the next operation may begin. Resolves with what is left to wait for
 * before it is answered. `signal` aborts when stop or quit comes; `since`: when it was asked for.
 */
export type Story = (signal: AbortSignal, since: number) => Promise<() => Promise<Report>>;

export class OperationQueue {
  private readonly emit: Emit;
  private tail: Promise<unknown> = Promise.resolve();
  private running: { readonly operation: string; readonly abort: AbortController } | null = null;
  private closedBy: string | null = null;

  constructor(emit: Emit) {
    this.emit = emit;
  }

  /** What is in progress, for status; null when nothing is. */
  get current(): string | null {
    return this.running?.operation ?? null;
  }

  /** Runs an order when its turn has come, and tells how it goes. */
  async carryOut({ operation, by, detail, tell }: Order, story: Story): Promise<Report> {
    if (this.current !== null) tell({ step: "waiting", behind: this.current });
    const since = now();
    try {
      const answer = await this.run(operation, (signal) => {
        this.emit({ type: "operation-started", operation, by, detail });
        return story(signal, since);
      });
      const report = await answer();
      this.emit({ type: "operation-done", operation, ms: now() - since, detail });
      return report;
    } catch (error) {
      const fault = asFault(error).toJSON();
      this.emit({ type: "operation-failed", operation, ms: now() - since, fault });
      throw error;
    }
  }

  /** Runs `story` when all before it are over. It gets a signal that aborts when stop or quit comes. */
  run<T>(operation: string, story: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const result = this.tail.then(async () => {
      if (this.closedBy !== null) throw overridden(operation, this.closedBy);
      const abort = new AbortController();
      this.running = { operation, abort };
      try {
        return await story(abort.signal);
      } finally {
        this.running = null;
      }
    });
    this.tail = result.catch(() => {});
    return result;
  }

  /** Turns away all that waits and all that comes, for when there is nothing left to operate on. */
  close(by: string): void {
    this.closedBy = by;
  }

  /** Aborts what is in progress, turns away the rest, and resolves when the way is free. */
  async override(by: string): Promise<void> {
    this.closedBy = by;
    if (this.running !== null) this.running.abort.abort(overridden(this.running.operation, by));
    await this.tail;
  }
}

function overridden(operation: string, by: string): Fault {
  return new Fault(`${operation} was cancelled by ${by}`, {
    hint: "the supervisor is shutting down; start it again to have it back",
  });
}
