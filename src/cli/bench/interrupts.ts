// Ctrl-C while a command works that has to clean up before it ends.

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export class Interrupts {
  private count = 0;
  private readonly handle: () => void;

  /** `onInterrupt` gets how many there have been, this one included. */
  constructor(onInterrupt: (count: number) => void) {
    this.handle = () => onInterrupt(++this.count);
    for (const signal of SIGNALS) process.on(signal, this.handle);
  }

  get happened(): boolean {
    return this.count > 0;
  }

  off(): void {
    for (const signal of SIGNALS) process.off(signal, this.handle);
  }
}
