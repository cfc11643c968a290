// Bringing up the generations of several pools: all, or none.

import type { Generation } from "../../pool/generation.ts";
import { eachLimited } from "./concurrency.ts";

export interface Candidate {
  readonly generation: Generation;
  /** The one that serves meanwhile; beside it, not all workers may come up at once. */
  readonly beside: Generation | null;
}

/** With all its workers at once. */
export function whole(generation: Generation): Candidate {
  return { generation, beside: null };
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
    await eachLimited(candidates, signal, async ({ generation, beside }, either) => {
      await generation.start(either, beside);
      onReady(generation);
    });
  } catch (error) {
    await Promise.all(candidates.map(({ generation }) => generation.stop()));
    throw error;
  }
}
