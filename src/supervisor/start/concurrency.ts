// Doing the same for many pools, not all at once: hundreds of programs that start together make each
// other miss their start_timeout.

import { availableParallelism } from "node:os";

const AT_ONCE = 4 * availableParallelism();

/**
 * Calls `work` for every item, for so many at a time. The first failure aborts the signal that the others got, and is what
 * this rejects with, once all of them have settled; so does `signal`.
 */
export async function eachLimited<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const waiting = [...items];
  let first: { readonly error: unknown } | null = null;

  async function takeNext(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        either.throwIfAborted();
        await work(next, either);
      } catch (error) {
        first ??= { error };
        failure.abort(error);
        return;
      }
    }
  }

  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, takeNext));
  signal.throwIfAborted();
  if (first !== null) throw (first as { readonly error: unknown }).error;
}
