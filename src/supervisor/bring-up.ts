// Bringing up the generations of several pools: all, or none. Not all at once, because hundreds of
// programs that start together make each other miss their start_timeout.

import { availableParallelism } from "node:os";
import type { Generation } from "../pool/generation.ts";

const AT_ONCE = 4 * availableParallelism();

/**
 * Resolves when every one is ready; `onReady` hears of each. Rejects with the first failure, when
 * nothing of any of them is left.
 */
export async function bringUp(
  generations: readonly Generation[],
  signal: AbortSignal,
  onReady: (generation: Generation) => void,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const waiting = [...generations];
  let first: unknown = null;

  async function lane(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        await next.start(either);
        onReady(next);
      } catch (error) {
        first ??= error;
        failure.abort(error);
        return;
      }
    }
  }

  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  if (first === null && !signal.aborted) return;
  await Promise.all(generations.map((generation) => generation.stop()));
  throw first ?? signal.reason;
}
