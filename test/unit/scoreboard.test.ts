// The scoreboard: its readers share what one look has read, and who has stopped looks no more.

import { describe, expect, test } from "bun:test";
import { requestIdentity, type RequestRecord } from "../../src/observe/request.ts";
import type { Sample, WorkerSet } from "../../src/observe/sample.ts";
import { type Reader, Scoreboard } from "../../src/observe/scoreboard.ts";
import { Since } from "../../src/observe/since.ts";
import { processStat } from "../../src/sys/proc/procfs.ts";

/** Looks `times` times, and tells when that is done. */
function reader(everyMs: number, times: number, look: (sample: Sample) => void = () => {}) {
  const done = Promise.withResolvers<void>();
  const samples: Sample[] = [];
  const each: Reader = {
    everyMs,
    look(sample) {
      samples.push(sample);
      look(sample);
      if (samples.length === times) done.resolve();
    },
  };
  return { reader: each, samples, done: done.promise };
}

describe("readers", () => {
  test("share the samples whose time has come for both", async () => {
    const board = new Scoreboard();
    const [often, seldom] = [reader(5, 9), reader(15, 3)];
    board.add(often.reader);
    board.add(seldom.reader);
    board.start();
    await Promise.all([often.done, seldom.done]);
    board.stop();
    expect(seldom.samples.filter((sample) => !often.samples.includes(sample))).toEqual([]);
  });

  test("look at nothing before the start, nor after the stop", async () => {
    const board = new Scoreboard();
    const early = reader(1, 1);
    board.add(early.reader);
    // Timers that are due go first: it had its chance.
    await Bun.sleep(20);
    expect(early.samples).toEqual([]);
    board.start();
    await early.done;
    board.stop();
    const { length } = early.samples;
    await Bun.sleep(20);
    expect(early.samples.length).toBe(length);
  });

  test("that are removed in the middle of a look do not look any more", async () => {
    const board = new Scoreboard();
    const second = reader(1, 1);
    const first = reader(1, 3, () => board.remove(second.reader));
    board.add(first.reader);
    board.add(second.reader);
    board.start();
    await first.done;
    board.stop();
    expect(second.samples).toEqual([]);
  });

  test("that stop the scoreboard in the middle of a look are the last", async () => {
    const board = new Scoreboard();
    const second = reader(1, 1);
    const first = reader(1, 1, () => board.stop());
    board.add(first.reader);
    board.add(second.reader);
    board.start();
    await first.done;
    await Bun.sleep(20);
    expect([first.samples.length, second.samples.length]).toEqual([1, 0]);
  });
});

describe("a sample", () => {
  test("reads a set once, whoever asks for whatever", () => {
    let reads = 0;
    const set: WorkerSet = {
      listener: { inode: 1, address: { kind: "unix", path: "/nowhere" } },
      present: () => {
        reads += 1;
        return { leader: null, workers: [processStat(process.pid)!] };
      },
    };
    const board = new Scoreboard();
    const sample = board.now();
    sample.busy(set);
    sample.stopped(set);
    sample.requests(set);
    expect(sample.workers(set)).toBe(sample.workers(set));
    expect(reads).toBe(1);
    expect(
      board
        .now()
        .workers(set)
        .map(({ pid }) => pid),
    ).toEqual([process.pid]);
    expect(reads).toBe(2);
  });
});

describe("since when", () => {
  const set = {};
  const at = (pid: number, what: string | null, startTime = 1) => ({
    process: { pid, startTime },
    what,
  });

  test("counts from the first of all looks that saw the same", () => {
    const since = new Since();
    expect(since.look(set, [at(7, "idle"), at(8, "busy 1")], 10)).toEqual(
      new Map([
        [7, 10],
        [8, 10],
      ]),
    );
    expect(since.look(set, [at(7, "idle"), at(8, "busy 2")], 20)).toEqual(
      new Map([
        [7, 10],
        [8, 20],
      ]),
    );
  });

  test("begins again with what was not seen in between", () => {
    const since = new Since();
    since.look(set, [at(7, "idle")], 10);
    since.look(set, [], 20);
    expect(since.look(set, [at(7, "idle")], 30).get(7)).toBe(30);
    since.look(set, [at(7, null)], 40);
    expect(since.look(set, [at(7, "idle")], 50).get(7)).toBe(50);
  });

  test("knows a pid that is another process by now", () => {
    const since = new Since();
    since.look(set, [at(7, "idle", 1)], 10);
    expect(since.look(set, [at(7, "idle", 2)], 20).get(7)).toBe(20);
  });

  test("keeps sets apart", () => {
    const since = new Since();
    since.look(set, [at(7, "idle")], 10);
    since.look({}, [], 20);
    expect(since.look(set, [at(7, "idle")], 30).get(7)).toBe(10);
  });
});

describe("what tells one request from the next", () => {
  const request = { method: "GET", uri: "/a", query: "", script: "/a.php", contentLength: 0 };
  const record = { kept: false, ...request };
  const identity = (told: RequestRecord, { awaited = false, inode = "5", read = 100 } = {}) =>
    requestIdentity({ fd: 3, inode, awaited }, told, () => read);

  test("the connection, when it carries one request", () => {
    expect(identity(record)).toBe(identity(record, { read: 900 }));
    expect(identity(record)).not.toBe(identity(record, { inode: "6" }));
  });

  test("also what is asked for and what was read, when it may carry many", () => {
    const kept = { ...record, kept: true };
    expect(identity(kept)).toBe(identity(kept));
    expect(identity(kept)).not.toBe(identity({ ...kept, uri: "/b" }));
    expect(identity(kept)).not.toBe(identity(kept, { read: 900 }));
    expect(identity(null)).not.toBe(identity(null, { read: 900 }));
  });

  test("nothing, when none is in flight", () => {
    expect(identity("none")).toBeNull();
    expect(identity(record, { awaited: true })).toBeNull();
  });
});
