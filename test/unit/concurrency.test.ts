// The same work for many, a bounded number at once: all is done, the first failure stops the rest and
// is the one that is told, and nothing is still running when it is.

import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { eachLimited } from "../../src/supervisor/start/concurrency.ts";

const NEVER = new AbortController().signal;
const AT_ONCE = 4 * availableParallelism();

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Resolves after some turns of the event loop, as many as the item says. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("every item is worked on once, in order, never more at a time than the limit", async () => {
  const items = numbers(AT_ONCE * 5 + 3);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await eachLimited(items, NEVER, async (item) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await turns(1 + (item % 3));
    running--;
  });
  expect(begun).toEqual(items);
  expect(most).toBe(AT_ONCE);
});

test("nothing to do is done at once", async () => {
  await eachLimited([], NEVER, async () => {
    throw new Error("called");
  });
});

test("false values are items, too", async () => {
  const seen: unknown[] = [];
  await eachLimited([0, "", false, null], NEVER, async (item) => void seen.push(item));
  expect(seen).toEqual([0, "", false, null]);
});

test("the first failure is the one told, the others hear of it, and all have settled", async () => {
  const first = new Error("first");
  let running = 0;
  const heard: unknown[] = [];
  const work = async (item: number, signal: AbortSignal): Promise<void> => {
    running++;
    signal.addEventListener("abort", () => heard.push(signal.reason), { once: true });
    try {
      await turns(item === 2 ? 3 : 10);
      if (item === 2) throw first;
      if (item === 3) throw new Error("second");
    } finally {
      running--;
    }
  };
  await expect(eachLimited(numbers(4), NEVER, work)).rejects.toBe(first);
  expect(running).toBe(0);
  expect(heard).toEqual([first, first, first, first]);
});

test("after a failure nothing more is begun", async () => {
  const begun: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    await turns(1);
    throw new Error(`failed ${item}`);
  };
  await expect(eachLimited(numbers(AT_ONCE * 3), NEVER, work)).rejects.toThrow("failed 0");
  expect(begun.length).toBe(AT_ONCE);
});

test("an abort from outside ends it with its own reason, when all have settled", async () => {
  const abort = new AbortController();
  const reason = new Error("stop came");
  let [begun, running] = [0, 0];
  const done = eachLimited(numbers(AT_ONCE * 3), abort.signal, async (_item, signal) => {
    begun++;
    running++;
    while (!signal.aborted) await turns(1);
    running--;
  });
  await turns(3);
  abort.abort(reason);
  await expect(done).rejects.toBe(reason);
  expect([begun, running]).toEqual([AT_ONCE, 0]);
});

test("aborted before it began, nothing is begun", async () => {
  const reason = new Error("too late");
  let begun = 0;
  const done = eachLimited([1, 2], AbortSignal.abort(reason), async () => void begun++);
  await expect(done).rejects.toBe(reason);
  expect(begun).toBe(0);
});

test("work that throws something falsy has failed all the same", async () => {
  const work = () => Promise.reject(undefined);
  const outcome = await eachLimited([1], NEVER, work).then(
    () => "done",
    (error: unknown) => ({ error }),
  );
  expect(outcome).toEqual({ error: undefined });
});
