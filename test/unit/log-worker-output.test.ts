import { expect, test } from "bun:test";
import { Tail } from "../../src/log/tail.ts";
import {
  LineAssembler,
  LINE_CONTINUES,
  type LineAssemblerOptions,
} from "../../src/log/worker-output.ts";

type Line = readonly [pid: number, text: string];

function assembler(options: Omit<LineAssemblerOptions, "onLine"> = {}) {
  const lines: Line[] = [];
  const assembled = new LineAssembler({
    ...options,
    onLine: (pid, text) => lines.push([pid, text]),
  });
  const feed = (pid: number, chunk: Uint8Array) => assembled.feed(pid, chunk);
  const end = (pid?: number) => assembled.end(pid);
  const say = (pid: number, text: string) => feed(pid, Buffer.from(text));
  return { lines, feed, end, say };
}

test("a chunk may hold many lines and a part of one", () => {
  const { lines, say } = assembler();
  say(7, "one\ntwo\nthr");
  expect(lines).toEqual([
    [7, "one"],
    [7, "two"],
  ]);
  say(7, "ee\n");
  expect(lines.at(-1)).toEqual([7, "three"]);
});

test("lines of different processes are never mixed", () => {
  const { lines, say } = assembler();
  say(1, "hel");
  say(2, "good");
  say(1, "lo\n");
  say(2, "bye\n");
  expect(lines).toEqual([
    [1, "hello"],
    [2, "goodbye"],
  ]);
});

test("every way to cut a text gives the same lines", () => {
  const bytes = Buffer.from("straße 日本 🐘\r\n\ttab\n\nlast €\n");
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      const { lines, feed } = assembler();
      feed(1, bytes.subarray(0, first));
      feed(1, bytes.subarray(first, second));
      feed(1, bytes.subarray(second));
      expect(lines.map(([, text]) => text)).toEqual(["straße 日本 🐘", "\ttab", "", "last €"]);
    }
  }
});

test("invalid UTF-8 is shown as U+FFFD and harms nothing after it", () => {
  const { lines, feed } = assembler();
  feed(1, Uint8Array.of(0x61, 0xff, 0xfe, 0x62, 0x0a, 0xe2, 0x82, 0x0a, 0x63, 0x0a));
  expect(lines.map(([, text]) => text)).toEqual(["a\ufffd\ufffdb", "\ufffd", "c"]);
});

test("a worker can forge neither log lines nor terminal sequences", () => {
  const { lines, say } = assembler();
  say(1, "a\rb\u001b[2Jc\u0000d\u009b31me\u007ff\u2028g\n");
  expect(lines).toEqual([[1, "a\\x0db\\x1b[2Jc\\x00d\\x9b31me\\x7ff\\u2028g"]]);
});

test("a byte order mark is text like any other", () => {
  const { lines, say } = assembler();
  say(1, "\ufeffa\n");
  expect(lines).toEqual([[1, "\ufeffa"]]);
});

test("the chunk may be overwritten after it was fed", () => {
  const { lines, feed, say } = assembler();
  const chunk = Buffer.from("keep");
  feed(1, chunk);
  chunk.fill("x");
  say(1, "\n");
  expect(lines).toEqual([[1, "keep"]]);
});

test("a line of maxLine bytes is whole, a longer one comes in pieces", () => {
  const { lines, say } = assembler({ maxLine: 4 });
  say(1, "abcd\r\n");
  say(1, "abcd\r");
  say(1, "\nabcdefghi\n");
  expect(lines.map(([, text]) => text)).toEqual([
    "abcd",
    "abcd",
    `abcd${LINE_CONTINUES}`,
    `efgh${LINE_CONTINUES}`,
    "i",
  ]);
});

test("the pieces of a line add up to it, however it arrives, and cut no character", () => {
  const text = "aé€🐘".repeat(50);
  const bytes = Buffer.from(`${text}\n`);
  for (const size of [1, 3, 7, 64, bytes.length]) {
    const { lines, feed } = assembler({ maxLine: 16 });
    for (let at = 0; at < bytes.length; at += size) feed(1, bytes.subarray(at, at + size));
    const pieces = lines.map(([, piece]) => piece);
    expect(pieces.slice(0, -1).every((piece) => piece.endsWith(LINE_CONTINUES))).toBe(true);
    expect(pieces.at(-1)).not.toEndWith(LINE_CONTINUES);
    expect(pieces.map((piece) => piece.replace(LINE_CONTINUES, "")).join("")).toBe(text);
  }
});

test("unfinished lines of all processes together are bounded, the oldest being cut", () => {
  const maxTotal = 10_000;
  const { lines, feed, end } = assembler({ maxTotal });
  const chunk = Buffer.alloc(1000, "x");
  for (let pid = 1; pid <= 1000; pid++) feed(pid, chunk);
  expect(lines.length).toBeGreaterThanOrEqual(1000 - maxTotal / 1000);
  expect(lines[0]).toEqual([1, `${"x".repeat(1000)}${LINE_CONTINUES}`]);
  expect(lines.map(([pid]) => pid)).toEqual(lines.map((_, i) => i + 1));
  end();
  expect(lines.map(([pid]) => pid)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
});

test("many processes with a byte each are bounded as well", () => {
  const { lines, say } = assembler({ maxTotal: 100_000 });
  for (let pid = 1; pid <= 5000; pid++) say(pid, "x");
  expect(lines.length).toBeGreaterThan(4000);
});

test("a flood without a newline is delivered as it comes", () => {
  const { lines, feed, end } = assembler({ maxLine: 1024 });
  const chunk = Buffer.alloc(10_000, "y");
  for (let i = 0; i < 100; i++) feed(3, chunk);
  expect(lines.length).toBeGreaterThanOrEqual(975);
  end(3);
  const text = lines.map(([, piece]) => piece.replace(LINE_CONTINUES, "")).join("");
  expect(text.length).toBe(1_000_000);
});

test("the end of a process delivers its unfinished line, and only its own", () => {
  const { lines, say, end } = assembler();
  say(1, "last words");
  say(2, "still he");
  end(1);
  expect(lines).toEqual([[1, "last words"]]);
  end(1);
  say(2, "re\n");
  say(3, "three");
  end();
  expect(lines.slice(1)).toEqual([
    [2, "still here"],
    [3, "three"],
  ]);
});

test("a pid that comes again starts a line of its own", () => {
  const { lines, say, end } = assembler();
  say(1, "old");
  end(1);
  say(1, "new\n");
  expect(lines).toEqual([
    [1, "old"],
    [1, "new"],
  ]);
});

test("a tail keeps the last lines, shortened", () => {
  const tail = new Tail(2);
  expect(tail.lines).toEqual([]);
  for (const text of ["a", "b", "x".repeat(5000)]) tail.push(text);
  const [first, second] = tail.lines;
  expect(first).toBe("b");
  expect(second).toHaveLength(1001);
});
