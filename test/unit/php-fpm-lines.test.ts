// What is made of a line that a php-fpm master or one of its workers wrote.

import { expect, test } from "bun:test";
import { readFpmLine } from "../../src/runtime/php-fpm/lines.ts";

const DATE = "[29-Nov-2026 03:20:03]";
const master = (text: string) => readFpmLine({ text: `${DATE} ${text}`, byLeader: true });
const framed = (text: string) => master(`WARNING: [pool www] child 7 said into stderr: "${text}"`);

test("what a worker writes comes out as it is, with its writer", () => {
  expect(framed('a "quoted" line')).toMatchObject({ pid: 7, text: 'a "quoted" line', level: null });
  expect(framed("")).toMatchObject({ pid: 7, text: "", level: null });
});

test("what PHP says has PHP's level, and nothing before it", () => {
  expect(framed("NOTICE: PHP message: hello")).toMatchObject({ text: "hello", level: "notice" });
  for (const [text, level] of [
    ["PHP Fatal error:  Uncaught Error", "error"],
    ["PHP Parse error:  syntax error", "error"],
    ["PHP Warning:  Undefined variable", "warn"],
    ["PHP Deprecated:  old", "notice"],
  ] as const)
    expect(framed(`NOTICE: PHP message: ${text}`)).toMatchObject({ text, level });
});

test("the master's own words lose its date and the pool, and keep their level", () => {
  const slow = "WARNING: [pool www] child 7, script '/a.php' executing too slow (5.1 sec), logging";
  expect(master(slow)).toMatchObject({
    pid: 7,
    level: "warn",
    text: "script '/a.php' executing too slow (5.1 sec), logging",
  });
  expect(master("ERROR: unable to bind")).toMatchObject({ level: "error", text: "unable to bind" });
  for (const usual of [
    'using inherited socket fd=3, "/fcgivisor-inherited"',
    "ready to handle connections",
    "[pool www] child 7 started",
    "child 7 stopped for tracing",
  ])
    expect(master(`NOTICE: ${usual}`).level, usual).toBe("debug");
});

test("the end of a worker and a signal to the master are news", () => {
  const at = "after 1.129268 seconds from start";
  expect(
    master(`WARNING: [pool www] child 7 exited on signal 11 (SIGSEGV - core dumped) ${at}`).news,
  ).toEqual({
    what: "worker-ended",
    pid: 7,
    end: { how: "signaled", signal: "SIGSEGV" },
    neverServed: false,
  });
  expect(master(`NOTICE: [pool www] child 7 exited with code 0 ${at}`).news).toEqual({
    what: "worker-ended",
    pid: 7,
    end: { how: "exited", code: 0 },
    neverServed: false,
  });
  expect(master(`WARNING: [pool www] child 7 exited with code 70 ${at}`).news).toMatchObject({
    neverServed: true,
  });
  expect(master("NOTICE: Finishing ...").news).toEqual({
    what: "leader-signalled",
    signal: "SIGQUIT",
  });
});

test("no worker can pass for the master", () => {
  const words = `${DATE} NOTICE: Reloading in progress ...`;
  expect(framed(words)).toMatchObject({ pid: 7, text: words });
  expect(framed(words).news).toBeUndefined();
  expect(framed(`x" ${DATE} NOTICE: Finishing ...`).news).toBeUndefined();
  const direct = readFpmLine({ text: words, byLeader: false });
  expect(direct.news).toBeUndefined();
  expect(direct.text).toBe(words);
});

test("a line that php-fpm has wrapped says that it goes on", () => {
  expect(framed("x".repeat(70_000)).isCut).toBe(true);
  expect(framed("x".repeat(7000)).isCut).toBe(false);
});
