// One operation at a time, in the order they came. stop and quit do not wait: they abort what is
// in progress and turn away what waits behind it.

import { Fault } from "../fault.ts";

export class Operations {
  private tail: Promise<unknown> = Promise.resolve();
  private running: { readonly word: string; readonly abort: AbortController } | null = null;
  private closedBy: string | null = null;

  /** What is in progress, for status; null when nothing is. */
  get current(): string | null {
    return this.running?.word ?? null;
  }

  /** Runs `story` when all before it are over. It gets a signal that aborts when stop or quit comes. */
  run<T>(word: string, story: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const result = this.tail.then(async () => {
      if (this.closedBy !== null) throw overridden(word, this.closedBy);
      const abort = new AbortController();
      this.running = { word, abort };
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
    if (this.running !== null) this.running.abort.abort(overridden(this.running.word, by));
    await this.tail;
  }
}

function overridden(word: string, by: string): Fault {
  return new Fault(`${word} was given up, because ${by} came`, {
    hint: "the supervisor is on its way out; start it again when you want it back",
  });
}
