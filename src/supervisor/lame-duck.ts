// The time before a quit in which everything is served as ever, but /readyz says no: whoever sends requests
// (a load balancer, Kubernetes) is to notice and to send them elsewhere, before a socket is closed.

import type { Emit } from "../event.ts";
import { after } from "../sys/clock.ts";

export class LameDuck {
  private readonly emit: Emit;
  private current: { readonly over: PromiseWithResolvers<void>; cancel: () => void } | null = null;

  constructor(emit: Emit) {
    this.emit = emit;
  }

  get isOn(): boolean {
    return this.current !== null;
  }

  /** Resolves after `ms` milliseconds, or as soon as somebody ends it; a second one waits for the first. */
  async wait(ms: number): Promise<void> {
    if (this.current === null) {
      const over = Promise.withResolvers<void>();
      this.current = { over, cancel: after(ms, () => this.end()) };
      this.emit({ type: "lame-duck", ms });
    }
    await this.current.over.promise;
  }

  end(): void {
    this.current?.cancel();
    this.current?.over.resolve();
    this.current = null;
  }
}
