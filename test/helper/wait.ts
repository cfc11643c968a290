// Waiting for a condition, never for a time: the only sleep in the tests is the short pause between
// two looks at it.

/** How many times longer than a developer's machine one that nobody waits at may take. */
export const PATIENCE = process.env["CI"] === "true" ? 4 : 1;

export interface EventuallyOptions {
  /** Milliseconds after which the wait fails, times PATIENCE. */
  readonly timeout?: number;
  /** Milliseconds between two looks. */
  readonly every?: number;
  /** What was waited for, for the message. */
  readonly what?: string;
}

/**
 * Resolves with the first truthy value that `look` gives. Throws when none comes in time, with the
 * last error that `look` threw as the cause.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  { timeout = 5_000, every = 15, what }: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout * PATIENCE;
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
      const text = `not within ${timeout * PATIENCE} ms: ${what ?? look.toString()}`;
      throw last === undefined ? new Error(text) : new Error(`${text}: ${last}`, { cause: last });
    }
    await Bun.sleep(every);
  }
}

/** The promise, or an error that names `what` when it takes longer than `ms` times PATIENCE. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const longest = ms * PATIENCE;
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${longest} ms`)), longest);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
