// When a leader that forks is in a storm: what was counted goes in, the verdict comes out. The rows are
// the promise that no pool is ended for recycling fast, for crashing while it serves, or for what
// somebody does to its workers.

import { describe, expect, test } from "bun:test";
import { type ForkCount, type ForkVerdict, judgeForks } from "../../src/pool/fork-storm.ts";

/** Three workers, one of whose places has been forked again a hundred times without any use. */
const STORM: ForkCount = {
  pageFaults: 300,
  bytesRead: 0,
  young: 1,
  living: 0,
  missing: 0,
  looks: 5,
};

interface Case {
  readonly title: string;
  readonly count: Partial<ForkCount>;
  readonly verdict: ForkVerdict;
}

function rows(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const { title, count, verdict } of cases) {
      test(`${title}: ${verdict}`, () => expect(judgeForks({ ...STORM, ...count })).toBe(verdict));
    }
  });
}

rows("forks without end", [
  { title: "in one place", count: {}, verdict: "storm" },
  { title: "in all places", count: { young: 3 }, verdict: "storm" },
  {
    title: "at a moment when all places are empty",
    count: { young: 0, missing: 3 },
    verdict: "storm",
  },
  { title: "too few looks", count: { looks: 4 }, verdict: "undecided" },
  {
    title: "a machine so slow that one worker a second is forked, at first",
    count: { pageFaults: 30, looks: 10 },
    verdict: "undecided",
  },
  {
    title: "a machine so slow that one worker a second is forked, in the end",
    count: { pageFaults: 33, looks: 11 },
    verdict: "storm",
  },
  {
    title: "in a big group, while each place holds one that has yet to end",
    count: { pageFaults: 150, young: 50 },
    verdict: "undecided",
  },
]);

rows("a pool that recycles fast", [
  { title: "who was reaped had read a request", count: { bytesRead: 109 }, verdict: "well" },
  { title: "at any rate", count: { bytesRead: 109, pageFaults: 1e6, looks: 1e6 }, verdict: "well" },
  { title: "one waits for a connection", count: { young: 3, living: 1 }, verdict: "well" },
]);

rows("workers that crash while they serve", [
  { title: "all of them", count: { bytesRead: 5_000, young: 3, missing: 0 }, verdict: "well" },
]);

rows("workers that somebody kills", [
  { title: "one by one, before they served", count: { young: 3, living: 2 }, verdict: "well" },
  {
    title: "all fifty at once, and the new ones have not got far yet",
    count: { pageFaults: 150, young: 50, looks: 1 },
    verdict: "undecided",
  },
  {
    title: "which the leader has yet to replace",
    count: { pageFaults: 0, young: 0, missing: 3 },
    verdict: "undecided",
  },
]);

rows("nothing is forked", [
  { title: "at rest", count: { pageFaults: 0, young: 0 }, verdict: "well" },
  { title: "the leader touched memory for another reason", count: { young: 0 }, verdict: "well" },
]);

rows("workers that may not be looked into", [
  {
    title: "one look less than enough",
    count: { bytesRead: null, looks: 19 },
    verdict: "undecided",
  },
  { title: "enough", count: { bytesRead: null, looks: 20 }, verdict: "storm" },
  {
    title: "one has waited for something",
    count: { bytesRead: null, looks: 20, living: 1 },
    verdict: "well",
  },
]);
