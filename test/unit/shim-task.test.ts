// When a worker takes the shim: it costs as much as half a start, so only for what Bun.spawn cannot do.

import { expect, test } from "bun:test";
import { needsShim, type ShimTask } from "../../src/worker/shim-task.ts";

const PLAIN: ShimTask = {
  argv: ["/bin/true"],
  env: {},
  staysRoot: false,
  identity: null,
  chroot: null,
  chdir: "/",
  umask: null,
  nice: null,
  rlimitFiles: null,
  rlimitCore: null,
  rlimitProcesses: null,
  rlimitMemory: null,
  noNewPrivs: false,
  privateTmp: false,
  readOnly: false,
  writable: [],
};
const WELL = { filesAreBounded: true, isSafeToStart: true };
const UNBOUNDED = { ...WELL, filesAreBounded: false };
const UNSAFE = { ...WELL, isSafeToStart: false };
const USER = { uid: 33, gid: 33, groups: [33] };

test("nothing that Bun.spawn cannot do", () => {
  expect(needsShim(PLAIN, { filesAreBounded: false, isSafeToStart: false })).toBe(false);
  expect(needsShim({ ...PLAIN, identity: USER }, WELL)).toBe(false);
  expect(needsShim({ ...PLAIN, identity: { ...USER, groups: [] } }, WELL)).toBe(false);
});

test("a user whose limit of open files nobody else would bound", () => {
  expect(needsShim({ ...PLAIN, identity: USER }, UNBOUNDED)).toBe(true);
});

test("a user who can have his program loaded from where nobody answers", () => {
  expect(needsShim({ ...PLAIN, identity: USER }, UNSAFE)).toBe(true);
});

test("a user in further groups", () => {
  expect(needsShim({ ...PLAIN, identity: { ...USER, groups: [33, 4] } }, WELL)).toBe(true);
});

const EACH: Partial<ShimTask>[] = [
  { chroot: "/srv" },
  { umask: 0o22 },
  { nice: 0 },
  { rlimitFiles: 100 },
  { rlimitCore: "unlimited" },
  { rlimitProcesses: 100 },
  { rlimitMemory: 1 },
  { noNewPrivs: true },
  { privateTmp: true },
  { readOnly: true },
];

test.each(EACH)("%p", (part) => {
  expect(needsShim({ ...PLAIN, ...part }, WELL)).toBe(true);
});
