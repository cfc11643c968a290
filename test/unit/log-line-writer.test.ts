import { expect, test } from "bun:test";
import { LineWriter, QUEUE_BYTES, type Put } from "../../src/log/line-writer.ts";
import { eventually } from "../helper/wait.ts";

/** A descriptor that takes `room` bytes and then fails with `code`, until given more room. */
function device(room: number, code: string) {
  const state = { room, code, text: "" };
  const put: Put = (bytes) => {
    if (state.room <= 0) {
      throw Object.assign(new Error(`${state.code}: said the device, write`), { code: state.code });
    }
    const taken = bytes.subarray(0, state.room);
    state.room -= taken.length;
    state.text += Buffer.from(taken).toString();
    return taken.length;
  };
  return { state, put };
}

const announce = (lines: number, why: string) => `${lines} lost: ${why}\n`;

test("lines go out at once and in order", () => {
  const { state, put } = device(Infinity, "");
  const writer = new LineWriter(put, announce);
  writer.write("a\n");
  expect(state.text).toBe("a\n");
  writer.write("b\n");
  writer.close();
  expect(state.text).toBe("a\nb\n");
});

test("an interrupted or short write is continued", () => {
  let calls = 0;
  let text = "";
  const writer = new LineWriter((bytes) => {
    if (calls++ % 2 === 0) throw Object.assign(new Error("EINTR"), { code: "EINTR" });
    text += String.fromCharCode(bytes[0]!);
    return 1;
  }, announce);
  writer.write("abc\n");
  writer.close();
  expect(text).toBe("abc\n");
});

test("lines that cannot be written are counted, and told of before the next", () => {
  const { state, put } = device(2, "ENOSPC");
  const writer = new LineWriter(put, announce);
  for (const line of ["a\n", "b\n", "c\n"]) writer.write(line);
  state.room = Infinity;
  writer.write("d\n");
  writer.close();
  expect(state.text).toBe("a\n2 lost: ENOSPC: said the device\nd\n");
});

test("the gap is told of even when no further line comes", async () => {
  const { state, put } = device(0, "EIO");
  const writer = new LineWriter(put, announce);
  writer.write("a\n");
  state.room = Infinity;
  await eventually(() => state.text === "1 lost: EIO: said the device\n");
  writer.close();
});

test("a line that was cut is finished before anything else is written", () => {
  const { state, put } = device(3, "ENOSPC");
  const writer = new LineWriter(put, announce);
  writer.write("first\n");
  writer.write("second\n");
  expect(state.text).toBe("fir");
  state.room = 2;
  writer.write("third\n");
  state.room = Infinity;
  writer.write("fourth\n");
  writer.close();
  expect(state.text).toBe("first\n2 lost: ENOSPC: said the device\nfourth\n");
});

test("a cut announcement is finished too, and counts nothing twice", () => {
  const { state, put } = device(0, "ENOSPC");
  const writer = new LineWriter(put, announce);
  writer.write("a\n");
  state.room = 4;
  writer.write("b\n");
  state.room = Infinity;
  writer.write("c\n");
  writer.close();
  const why = "ENOSPC: said the device";
  expect(state.text).toBe(`1 lost: ${why}\n1 lost: ${why}\nc\n`);
});

test("lines wait for a reader that stalls, and come in order by themselves", async () => {
  const { state, put } = device(3, "EAGAIN");
  const writer = new LineWriter(put, announce);
  for (const line of ["one\n", "two\n", "three\n"]) writer.write(line);
  expect(state.text).toBe("one");
  state.room = Infinity;
  await eventually(() => state.text === "one\ntwo\nthree\n");
  writer.close();
});

test("what waits is bounded; the gap stands where the lines are missing", () => {
  const { state, put } = device(0, "EAGAIN");
  const writer = new LineWriter(put, announce);
  const line = `${"x".repeat(1023)}\n`;
  const fits = QUEUE_BYTES / line.length;
  for (let i = 0; i < fits + 10; i++) writer.write(line);
  writer.write("small, but after a gap\n");
  state.room = Infinity;
  writer.write("end\n");
  writer.close();
  const gap = "11 lost: EAGAIN: its reader did not keep up\n";
  expect(state.text).toBe(`${line.repeat(fits)}${gap}end\n`);
});

test("redirected, it finishes the line begun, and what waits goes to the new place", () => {
  const old = device(3, "EAGAIN");
  const next = device(Infinity, "");
  const writer = new LineWriter(old.put, announce);
  writer.write("one\n");
  writer.write("two\n");
  old.state.room = 1;
  writer.redirect(next.put);
  writer.write("three\n");
  writer.close();
  expect([old.state.text, next.state.text]).toEqual(["one\n", "two\nthree\n"]);
});

test("redirected away from a full disk, it counts the line that stayed cut", () => {
  const old = device(3, "ENOSPC");
  const next = device(Infinity, "");
  const writer = new LineWriter(old.put, announce);
  writer.write("one\n");
  writer.write("two\n");
  writer.redirect(next.put);
  writer.close();
  expect(old.state.text).toBe("one");
  expect(next.state.text).toBe("2 lost: ENOSPC: said the device\n");
});

test("closing waits a moment for a reader that stalls, but not for ever", () => {
  let tries = 0;
  let text = "";
  const slow = new LineWriter((bytes) => {
    if (++tries < 4) throw Object.assign(new Error("EAGAIN"), { code: "EAGAIN" });
    text += Buffer.from(bytes).toString();
    return bytes.length;
  }, announce);
  slow.write("late\n");
  slow.close();
  expect(text).toBe("late\n");

  const { state, put } = device(0, "EAGAIN");
  const stuck = new LineWriter(put, announce);
  stuck.write("never\n");
  stuck.close();
  expect(state.text).toBe("");
});
