// The batches of a profile added up: what `trace --top` shows, and prints with --json.

import type { ProfileBatch, ProfileStack } from "../../admin/contract.ts";

export class ProfileSum {
  private readonly counts = new Map<string, ProfileStack>();
  private readonly tally = { samples: 0, idle: 0, unsure: 0, uncounted: 0 };

  add({ samples, idle, unsure, uncounted, stacks }: ProfileBatch): void {
    this.tally.samples += samples;
    this.tally.idle += idle;
    this.tally.unsure += unsure;
    this.tally.uncounted += uncounted;
    for (const stack of stacks) {
      const key = JSON.stringify([stack.frames, stack.cut]);
      const count = stack.count + (this.counts.get(key)?.count ?? 0);
      this.counts.set(key, { ...stack, count });
    }
  }

  /** The stacks that were seen most come first. */
  result(): ProfileBatch {
    const stacks = [...this.counts.values()].sort((a, b) => b.count - a.count);
    return { ...this.tally, stacks };
  }
}
