// The published table is made by pure functions: what they print must not need a five minute run to be
// checked.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { barsOf, FIGURES as FIGURES_PAGE, PICTURE, picture } from "../bench/picture.ts";
import {
  BEGIN,
  END,
  count,
  ratio,
  shareText,
  table,
  time,
  withBlock,
  type Row,
} from "../bench/table.ts";
import { targets } from "../bench/targets.ts";
import { readWrk } from "../bench/wrk.ts";

function row(what: string, program: string, extra: Partial<Row> = {}): Row {
  const times = { p50: 0.5, p99: 2, max: 5, gap: 6 };
  return { what, program, sent: 1000, lost: 0, ...times, paired: null, came: "ok", ...extra };
}

test("a row is compared with php-fpm's of the same case, the first of its names that has one", () => {
  const rows = [
    row("a", "ours"),
    row("a", "fpm", { p99: 1 }),
    row("a", "fpm patient", { p99: 4000 }),
    row("b", "ours"),
    row("b", "fpm", { p99: 4 }),
  ];
  const lines = table(rows, { names: ["fpm patient", "fpm"] }).split("\n");
  const cells = (line: number) => lines[line]!.split("|").map((cell) => cell.trim());
  expect(cells(2)).toEqual([
    "",
    "a",
    "ours",
    "1,000",
    "0",
    "0.5",
    "2.0",
    "5.0",
    "6.0",
    "1/2,000",
    "ok",
    "",
  ]);
  expect(cells(3)[9]).toBe("1/4,000");
  expect(cells(4).slice(1, 3)).toEqual(["", "fpm patient"]);
  expect(cells(4)[9]).toBe("1");
  expect(cells(5).slice(1, 3)).toEqual(["b", "ours"]);
  expect(cells(5)[9]).toBe("0.50");
  expect(new Set(lines.map((line) => line.length)).size).toBe(1);
});

test("times of rows that lost requests are not compared, lost ones stand out", () => {
  const base = row("a", "fpm");
  expect(ratio(row("a", "ours", { lost: 11 }), base)).toBeNull();
  expect(ratio(base, row("a", "fpm", { lost: 900 }))).toBeNull();
  expect(ratio(row("a", "ours", { lost: 10 }), base)).toBe(1);
  expect(ratio(base, null)).toBeNull();
  expect(table([row("a", "ours", { lost: 1200 })], { names: [] })).toContain("| **1,200** |");
});

test("where requests a second were measured, they are what is compared", () => {
  const base = row("a", "fpm", { paired: 1, p99: 1 });
  expect(ratio(row("a", "ours", { paired: 1.1, p99: 9 }), base)).toBe(1.1);
});

test("numbers are short and mean something", () => {
  expect([0.04, 9.96, 99.96, 1049.6].map(time)).toEqual(["0.0", "10.0", "100.0", "1,050"]);
  expect(time(null)).toBe("-");
  expect([5, 1234567].map(count)).toEqual(["5", "1,234,567"]);
  expect([1.064, 0.25, 0.0005].map(shareText)).toEqual(["1.06", "0.25", "1/2,000"]);
});

test("the README's picture is that of the figures", () => {
  // When this fails: bun test/bench/picture.ts
  const bars = barsOf(readFileSync(FIGURES_PAGE, "utf8"));
  expect(bars.map(({ program }) => program)).toContain("fcgivisor");
  expect(bars.every(({ p99Ms, lost }) => p99Ms > 0 && lost >= 0)).toBe(true);
  expect(readFileSync(PICTURE, "utf8")).toBe(picture(bars));
  expect(() => barsOf("| other | fcgivisor |")).toThrow("there is no row");
});

test("the block of the manual is replaced, and nothing else", () => {
  const text = `before\n${BEGIN}\nold\n${END}\nafter\n`;
  expect(withBlock(text, "new\n")).toBe(`before\n${BEGIN}\nnew\n${END}\nafter\n`);
  expect(withBlock(withBlock(text, "x"), "new")).toBe(withBlock(text, "new"));
  expect(() => withBlock("no place", "new")).toThrow(BEGIN);
});

const FIGURES = {
  phpCgiVersion: 40,
  generationReady: 60,
  reloadServes: 100,
  status: 30,
  version: 10,
  startHundred: 1000,
  rssOne: 40_000,
  rssHundred: 41_000,
};
const NAMES = { own: "ours", patient: "patient", plain: "fpm", long: "long", steady: "steady" };

test("a figure is reached, missed, or was not measured", () => {
  const rows = [
    row("long", "ours", { p99: 20, gap: 25 }),
    row("long", "patient", { p99: 4000 }),
    row("steady", "ours", { sent: 99_000, paired: 1.05, gap: null }),
    row("steady", "fpm", { paired: 1 }),
  ];
  expect(targets(rows, FIGURES, NAMES).map(({ reached }) => reached)).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
  const worse = [
    row("long", "ours", { p99: 21, gap: 26 }),
    row("long", "patient", { p99: 4000 }),
    row("steady", "ours", { sent: 200_000, lost: 1, paired: 1.04 }),
    row("steady", "fpm", { paired: 1 }),
  ];
  const slow = { ...FIGURES, generationReady: 81 };
  expect(targets(worse, slow, NAMES).map(({ reached }) => reached)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
  expect(
    targets([], FIGURES, NAMES)
      .slice(1, 4)
      .map(({ reached }) => reached),
  ).toEqual([null, null, null]);
});

const WRK = `Running 4s test @ http://127.0.0.1:8080/hello.php
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms    2.00ms  20.50ms   95.00%
    Req/Sec     8.90k   500.00     9.50k    80.00%
  Latency Distribution
     50%  850.00us
     75%    1.10ms
     90%    1.50ms
     99%    9.00ms
  35624 requests in 4.00s, 6.20MB read
`;

test("what wrk prints is understood, errors included", () => {
  const speed = "Requests/sec:   8906.00\nTransfer/sec:      1.55MB\n";
  const good = { perSecond: 8906, sent: 35624, lost: 0, p50: 0.85, p99: 9, max: 20.5 };
  expect(readWrk(WRK + speed)).toEqual(good);
  const errors =
    "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 7\n";
  expect(readWrk(WRK + errors + speed)).toMatchObject({ sent: 35634, lost: 17 });
  expect(() => readWrk("unable to connect")).toThrow("wrk did not print");
});
