// Waiting for a condition, never for a time: the only sleep in the tests is the short pause between
// two looks at it. How long a wait may last is no part of any verdict: only a test that fails anyway
// gets to the end of one.

/** Milliseconds after which what has not come will not come, on the slowest machine there is. */
export const LONGEST_MS = 90_000;

export interface EventuallyOptions {
  /** Milliseconds between two looks. */
  readonly every?: number;
  /** What was waited for, for the message. */
  readonly what?: string;
  /** Milliseconds; for a benchmark, in which that it never came is a finding. */
  readonly longest?: number;
}

/**
 * Resolves with the first truthy value that `look` gives. Throws when none comes, with the last
 * error that `look` threw as the cause.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  { every = 15, what, longest = LONGEST_MS }: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + longest;
  let last: unknown;
  for (;;) {
    try {
      const value = await look();
      if (value) return value as NonNullable<T>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const text = `not within ${longest} ms: ${what ?? look.toString()}`;
      throw last === undefined ? new Error(text) : new Error(`${text}: ${last}`, { cause: last });
    }
    await Bun.sleep(every);
  }
}

/** The promise, or an error that names `what` when it is never settled. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new Error(`${what} took longer than ${LONGEST_MS} ms`));
    timer = setTimeout(fail, LONGEST_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
