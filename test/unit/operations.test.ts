// One operation at a time, in the order they came; stop and quit come before all of them.

import { expect, test } from "bun:test";
import { Fault } from "../../src/fault.ts";
import { OperationQueue } from "../../src/supervisor/operations/operation-queue.ts";

/** A story that lasts until it is told to end, and notes what happens. */
function story(name: string, notes: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const tell = async (signal: AbortSignal): Promise<string> => {
    notes.push(`${name} begins`);
    signal.addEventListener("abort", () => {
      notes.push(`${name} is aborted`);
      reject(signal.reason);
    });
    try {
      return await promise;
    } finally {
      notes.push(`${name} ends`);
    }
  };
  return { tell, end: () => resolve(name), fail: (error: unknown) => reject(error) };
}

/** Long enough for everything that can go on by itself to have gone on. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("one after the other, in the order they came, each with its own result", async () => {
  const operations = new OperationQueue(() => {});
  const notes: string[] = [];
  const stories = ["one", "two", "three"].map((name) => story(name, notes));
  const results = stories.map(({ tell }, i) => operations.run(`word ${i}`, tell));
  for (const { end } of stories.toReversed()) end();
  expect(await Promise.all(results)).toEqual(["one", "two", "three"]);
  expect(notes).toEqual([
    "one begins",
    "one ends",
    "two begins",
    "two ends",
    "three begins",
    "three ends",
  ]);
});

test("current names what is in progress, and nothing when nothing is", async () => {
  const operations = new OperationQueue(() => {});
  expect(operations.current).toBeNull();
  const first = story("a", []);
  const second = story("b", []);
  const done = [operations.run("reload", first.tell), operations.run("restart", second.tell)];
  await settled();
  expect(operations.current).toBe("reload");
  first.end();
  await settled();
  expect(operations.current).toBe("restart");
  second.end();
  await Promise.all(done);
  expect(operations.current).toBeNull();
});

test("one that fails is told to its own caller only, and the next goes on", async () => {
  const operations = new OperationQueue(() => {});
  const bad = operations.run("reload", () => Promise.reject(new Error("bad config")));
  const good = operations.run("reload", async () => "fine");
  await expect(bad).rejects.toThrow("bad config");
  expect(await good).toBe("fine");
  expect(operations.current).toBeNull();
});

test("one that throws before it waits for anything fails like any other", async () => {
  const operations = new OperationQueue(() => {});
  const bad = operations.run("reload", () => {
    throw new Error("at once");
  });
  await expect(bad).rejects.toThrow("at once");
  expect(await operations.run("status", async () => 1)).toBe(1);
});

test("stop aborts what is in progress, with words, and turns away what waits", async () => {
  const operations = new OperationQueue(() => {});
  const notes: string[] = [];
  const running = operations.run("reload", story("running", notes).tell);
  const waiting = operations.run("restart", story("waiting", notes).tell);
  const outcomes = Promise.allSettled([running, waiting]);
  await settled();
  await operations.override("stop");
  expect(notes).toEqual(["running begins", "running is aborted", "running ends"]);
  const reasons = (await outcomes).map((one) => (one.status === "rejected" ? one.reason : null));
  expect(reasons.every((reason) => reason instanceof Fault)).toBe(true);
  expect(reasons.map(String)).toEqual([
    "Fault: reload was cancelled by stop",
    "Fault: restart was cancelled by stop",
  ]);
});

test("stop waits until what it aborts has cleaned up after itself", async () => {
  const operations = new OperationQueue(() => {});
  const cleaning = Promise.withResolvers<void>();
  const running = operations.run("reload", async (signal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    await cleaning.promise;
    throw signal.reason;
  });
  running.catch(() => {});
  await settled();
  let free = false;
  const override = operations.override("stop").then(() => (free = true));
  await settled();
  expect(free).toBe(false);
  cleaning.resolve();
  await override;
  await expect(running).rejects.toThrow("cancelled");
});

test("what comes after stop is turned away without beginning", async () => {
  const operations = new OperationQueue(() => {});
  await operations.override("quit");
  let begun = false;
  const late = operations.run("reload", async () => void (begun = true));
  await expect(late).rejects.toThrow("reload was cancelled by quit");
  expect(begun).toBe(false);
});

test("a story that pays no heed to the abort still gives its result", async () => {
  const operations = new OperationQueue(() => {});
  const begun = Promise.withResolvers<void>();
  const result = operations.run("logrotate", async () => {
    begun.resolve();
    await settled();
    return "done anyway";
  });
  await begun.promise;
  await operations.override("stop");
  expect(await result).toBe("done anyway");
});
