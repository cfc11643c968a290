// A frame of the watch fits, whatever there is to be seen and however small the terminal is; and what keys mean.

import { describe, expect, test } from "bun:test";
import type { PoolStatus, Status } from "../../src/admin/contract.ts";
import { plain } from "../../src/cli/paint.ts";
import { frame } from "../../src/cli/status/watch/frame.ts";
import { bar, glyphsFor, sparkline } from "../../src/cli/status/watch/graph.ts";
import { afterKey, inOrder, type View } from "../../src/cli/status/watch/view.ts";

const UTF8 = glyphsFor({ LANG: "C.UTF-8" });
const ASCII = glyphsFor({ LANG: "C.UTF-8", LC_ALL: "C" });
const EVIL = "/x\x1b[2J\nforged\u202e界界界界界界";
const VIEW: View = { pool: null, order: "config", asks: null, told: null };

function pool(name: string, busy: number, queue: number): PoolStatus {
  return {
    name,
    state: "serving",
    workers: { wanted: 4, idle: 4 - busy, busy, parked: 0, unknown: 0, starting: 0, draining: 0 },
    queue: { length: queue, limit: 511, most: queue, full: 0 },
    load: {
      queue_recent: [0, 1, null, queue],
      cpu_percent: busy,
      requests_per_second: null,
    },
    memory: { pss_bytes: 5_000_000 },
    groups: [
      {
        workers: [
          { pid: 7, request_ms: 1000 * busy, request: { method: "GET", uri: EVIL, script: "" } },
        ],
      },
    ],
  } as unknown as PoolStatus;
}

const POOLS = Array.from({ length: 40 }, (_, i) => pool(`pool-${i}`, i % 5, i % 7));
const STATUS = {
  version: "0.1.0",
  pid: 1,
  state: "running",
  uptime_ms: 5000,
  generation: 2,
  operation: null,
  pools: POOLS,
} as unknown as Status;
const SCENE = {
  status: STATUS,
  doing: new Map([[7, `fread() at ${EVIL}.php:3`]]),
  events: Array.from({ length: 99 }, () => EVIL),
  trouble: null,
};

// The C0 and C1 sets, and marks that turn text round.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/;

test.each([
  [80, 24],
  [200, 50],
  [40, 10],
  [20, 5],
  [10, 2],
] as const)("%dx%d: so many lines, none too wide, none that acts", (columns, rows) => {
  for (const view of [
    VIEW,
    { ...VIEW, asks: { do: "reload" } as const },
    { ...VIEW, pool: "pool-3" },
  ]) {
    const lines = frame(SCENE, view, { columns, rows, paint: plain, glyphs: UTF8 });
    expect(lines).toHaveLength(rows);
    for (const line of lines) expect(line).not.toMatch(UNSAFE);
    if (columns >= 80)
      for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
  }
});

test("what does not fit is said", () => {
  const lines = frame(SCENE, VIEW, { columns: 80, rows: 24, paint: plain, glyphs: UTF8 });
  expect(lines.join("\n")).toMatch(/… \d+ more/);
  expect(lines.some((line) => line.includes("GET /x\\x1b[2J"))).toBe(true);
});

test("bars and lines", () => {
  const shares = (busy: number, parked = 0) => ({ busy, parked });
  expect(bar(shares(0.5), 4, UTF8)).toBe("██··");
  expect(bar(shares(0.01), 4, UTF8)).toBe("█···");
  expect(bar(shares(0), 4, ASCII)).toBe("....");
  expect(bar(shares(7), 4, ASCII)).toBe("####");
  expect(bar(shares(0.25, 0.5), 4, UTF8)).toBe("█·░░");
  expect(bar(shares(1, 1), 4, ASCII)).toBe("####");
  expect(bar(shares(0, 1), 4, ASCII)).toBe("zzzz");
  expect(sparkline([0, 4, 8, null], 6, UTF8)).toBe("   ▄█?");
  expect(sparkline([1, 2, 3], 2, ASCII)).toBe("*@");
});

describe("keys", () => {
  const names = [
    { name: "www", state: "serving" },
    { name: "api", state: "paused" },
  ] as const;
  const press = (view: View, ...keys: string[]) =>
    keys.reduce<ReturnType<typeof afterKey>>(
      (next, key) => (next === "quit" ? next : afterKey(next.view, key, names)),
      { view },
    );

  test("choose a pool, round and round", () => {
    expect(press(VIEW, "j")).toMatchObject({ view: { pool: "www" } });
    expect(press(VIEW, "j", "j", "j")).toMatchObject({ view: { pool: null } });
    expect(press(VIEW, "\x1b[A")).toMatchObject({ view: { pool: "api" } });
    expect(press({ ...VIEW, pool: "gone" }, "j")).toMatchObject({ view: { pool: null } });
  });

  test("nothing is done without a yes", () => {
    expect(press(VIEW, "r")).toEqual({ view: { ...VIEW, asks: { do: "reload" } } });
    for (const key of ["n", "q", " ", "\r"]) {
      const next = press(VIEW, "r", key);
      expect(next).not.toHaveProperty("act");
      expect(next).toMatchObject({ view: { asks: null, told: "nothing was done" } });
    }
    expect(press(VIEW, "r", "y")).toMatchObject({ act: { do: "reload" }, view: { asks: null } });
  });

  test("scale and pause one pool, and ask which one", () => {
    for (const key of ["+", "-", "p"])
      expect(press(VIEW, key)).toMatchObject({
        view: { asks: null, told: expect.stringContaining("choose a pool") },
      });
    const www = { ...VIEW, pool: "www" };
    expect(press(www, "+", "y")).toMatchObject({ act: { do: "scale", by: 1 } });
    expect(press(www, "+", "+", "+", "-", "y")).toMatchObject({ act: { do: "scale", by: 2 } });
    expect(press(www, "-", "-", "y")).toMatchObject({ act: { do: "scale", by: -2 } });
    expect(press(www, "-", "+")).toMatchObject({ view: { asks: null, told: "nothing was done" } });
    expect(press(www, "p", "y")).toMatchObject({ act: { do: "pause" } });
    expect(press({ ...VIEW, pool: "api" }, "p", "y")).toMatchObject({ act: { do: "resume" } });
  });

  test("end it, also while it asks", () => {
    expect(press(VIEW, "q")).toBe("quit");
    expect(press(VIEW, "r", "\x03")).toBe("quit");
  });
});

test("the most loaded come first", () => {
  const pools = [pool("b", 1, 9), pool("a", 3, 0), pool("c", 2, 5)];
  const names = (order: View["order"]) =>
    inOrder(pools, order)
      .map(({ name }) => name)
      .join("");
  expect([names("config"), names("name"), names("busy"), names("queue"), names("cpu")]).toEqual([
    "bac",
    "abc",
    "acb",
    "bca",
    "acb",
  ]);
});
