// A story told while requests keep coming: none of them may be lost.

import { expect } from "bun:test";
import type { FcgiRequest } from "./fcgi.ts";
import { load, type LoadReport } from "./load.ts";
import { bodyOf, type Spot } from "./pool.ts";
import { eventually } from "./wait.ts";

/** Requests a second: enough to notice a gap, few enough for two cores. */
const RATE = 60;
/**
 * On a machine that is slower than that, the load must not take all of it: the story would not get on,
 * and a worker that can be asked to leave only between two requests would never be seen there.
 */
const MOST_IN_FLIGHT = 2;

export interface Serving {
  /** How many requests have been answered. */
  readonly count: () => number;
  /** Waits until so many more have been. */
  readonly further: (more: number) => Promise<void>;
}

type Story = (serving: Serving) => Promise<void>;

/** Requests at a steady pace from before the story until after it. */
export function underLoad(spot: Spot, request: FcgiRequest, story: Story): Promise<LoadReport> {
  return whileSending(() => bodyOf(spot, request), story);
}

/** The same with requests of any kind; `send` throws when one is lost, or answered wrong. */
export async function whileSending(
  send: (index: number) => Promise<unknown>,
  story: Story,
  rate = RATE,
): Promise<LoadReport> {
  let served = 0;
  const count = () => served;
  const further = async (more: number) => {
    const wanted = served + more;
    // One after the other: how long they all take together depends on the machine.
    for (let seen = served; served < wanted; seen = served)
      await eventually(() => served > seen, { what: `one of ${more} more requests is served` });
  };
  const over = Promise.withResolvers<void>();
  const counted = async (index: number) => {
    await send(index);
    served++;
  };
  const running = load({ rate, most: MOST_IN_FLIGHT, until: over.promise, send: counted });
  try {
    await further(5);
    await story({ count, further });
    await further(5);
  } finally {
    over.resolve();
  }
  const report = await running;
  expect(report.lost, report.messages.join("\n")).toEqual({});
  return report;
}
