// max_workers over all pools: what each may have, in a table, and the promises held against whatever comes.

import { describe, expect, test } from "bun:test";
import { allowances, type Claim, isScarce } from "../../src/pool/budget.ts";
import { seeded } from "../helper/seeded.ts";

const claim = (active: number, wanted: number, least = 1): Claim => ({ active, wanted, least });

const ROWS: readonly [string, readonly Claim[], number, readonly number[]][] = [
  ["enough for all: whoever wants more gets it", [claim(2, 6), claim(1, 1)], 10, [6, 1]],
  ["idle ones stay while nobody is short", [claim(9, 2), claim(1, 1)], 10, [9, 1]],
  ["idle ones go where somebody is short", [claim(9, 2), claim(1, 4)], 10, [6, 1]],
  ["and what they left is taken", [claim(6, 2), claim(1, 4)], 10, [6, 4]],
  ["too few: divided by what is wanted", [claim(5, 30), claim(5, 10)], 10, [5, 3]],
  ["who is above its share has to give", [claim(9, 30), claim(1, 30)], 10, [5, 1]],
  ["what each needs is never taken", [claim(4, 4, 4), claim(1, 50)], 4, [4, 1]],
  [
    "the rest of a division goes to somebody",
    [claim(1, 9), claim(1, 9), claim(1, 9)],
    8,
    [3, 3, 2],
  ],
];

describe("how many each pool may have", () => {
  for (const [title, claims, most, allowed] of ROWS)
    test(title, () => expect(allowances(claims, most)).toEqual([...allowed]));
});

test("whether it binds", () => {
  expect(isScarce([claim(1, 5), claim(1, 5)], 10)).toBe(false);
  expect(isScarce([claim(1, 5), claim(1, 6)], 10)).toBe(true);
});

test("never above the limit, never below the least, and nobody waits for ever", () => {
  const next = seeded(20);
  const upTo = (most: number) => Math.floor(next() * (most + 1));
  for (let round = 0; round < 2000; round++) {
    const count = 1 + upTo(6);
    const least = Array.from({ length: count }, () => upTo(3));
    const most = least.reduce((sum, each) => sum + each, 0) + upTo(20);
    let claims = least.map((each) => claim(each, each + upTo(20), each));
    // Everybody is idle enough to give what it has to; each looks in turn.
    for (let turn = 0; turn < 4 * count; turn++) {
      const i = turn % count;
      const allowed = allowances(claims, most)[i]!;
      expect(allowed).toBeGreaterThanOrEqual(claims[i]!.least);
      const { active, wanted } = claims[i]!;
      const now = wanted > active ? Math.min(wanted, allowed) : Math.min(active, allowed);
      claims = claims.with(i, { ...claims[i]!, active: Math.max(now, claims[i]!.least) });
      expect(claims.reduce((sum, each) => sum + each.active, 0)).toBeLessThanOrEqual(most);
    }
    const all = claims.reduce((sum, { wanted }) => sum + wanted, 0);
    const has = claims.reduce((sum, { active }) => sum + active, 0);
    expect(has).toBe(Math.min(all, most));
    // Then everybody wants something else.
    claims = claims.map((each) => ({ ...each, wanted: each.least + upTo(20) }));
  }
});
