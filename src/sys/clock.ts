// The only door to time. Deadlines use the monotonic clock, so that a changed wall clock neither
// shortens nor stretches them.

/** Milliseconds on the monotonic clock. */
export function now(): number {
  return performance.now();
}

/** CPU time of this process in milliseconds, user and system, all of its threads. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The wall clock, for what people read. */
export function wallClock(): Date {
  return new Date();
}

/** Resolves after `ms` milliseconds (at once when that is over already), or when `signal` aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, Math.max(0, ms));
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** Calls `callback` after `ms` milliseconds; the returned function cancels it. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

/**
 * Calls `callback` every `ms` milliseconds, at whole multiples of that on the clock, so that what has the
 * same beat wakes the process once; the returned function ends it.
 */
export function every(ms: number, callback: () => void): () => void {
  const following = () => (Math.floor(now() / ms) + 1) * ms;
  let due = following();
  let timer = setTimeout(beat, due - now());
  function beat(): void {
    // A timer may strike a little early, and that beat counts as this one.
    due = Math.max(due + ms, following());
    timer = setTimeout(beat, due - now());
    callback();
  }
  return () => clearTimeout(timer);
}

/** Blocks the whole process for `ms` milliseconds; for a command, or the last moments of a supervisor. */
export function block(ms: number): void {
  Bun.sleepSync(ms);
}

/** Lets the event loop run once: signals, timers and sockets get their turn. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
