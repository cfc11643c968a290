// The last lines a worker wrote, for a message about its end; not for the record.

/** Longest line that is kept whole, in UTF-16 units. */
const TAIL_WIDTH = 1000;

export class Tail {
  private readonly most: number;
  private readonly kept: string[] = [];

  /** Keeps so many lines. */
  constructor(most: number) {
    this.most = most;
  }

  /** Oldest first. */
  get lines(): string[] {
    return [...this.kept];
  }

  push(text: string): void {
    this.kept.push(text.length > TAIL_WIDTH ? `${text.slice(0, TAIL_WIDTH)}…` : text);
    if (this.kept.length > this.most) this.kept.shift();
  }
}
