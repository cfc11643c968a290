// Bringing up the generations of several pools: all, or none.

import type { Generation } from "../pool/generation.ts";
import { inLanes } from "./concurrency.ts";

export interface Candidate {
  readonly generation: Generation;
  /** So many of its workers come up now; the others when it rolls on. */
  readonly most: number;
}

/** With all its workers at once. */
export function whole(generation: Generation): Candidate {
  return { generation, most: generation.context.pool.workers };
}

/**
 * Resolves when every one is ready; `onReady` hears of each. Rejects with the first failure, when
 * nothing of any of them is left.
 */
export async function bringUp(
  candidates: readonly Candidate[],
  signal: AbortSignal,
  onReady: (generation: Generation) => void,
): Promise<void> {
  try {
    await inLanes(candidates, signal, async ({ generation, most }, either) => {
      await generation.start(either, most);
      onReady(generation);
    });
  } catch (error) {
    await Promise.all(candidates.map(({ generation }) => generation.stop()));
    throw error;
  }
}
