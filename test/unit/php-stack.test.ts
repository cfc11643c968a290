// The stack of a made-up PHP, right, running on, broken and hostile: there is an answer, soon, of no more
// memory than agreed, and no rubbish.

import { expect, test } from "bun:test";
import { phpLayout } from "../../src/observe/php-layout.ts";
import { FRAMES_MOST, readPhpStack } from "../../src/observe/php-stack.ts";
import { random } from "../config-cases/random.ts";
import { imageOf, PhpImage, PROGRAM, START } from "../helper/php-image.ts";

const MOST_BYTES = 1024 * 1024;

test("functions, classes, files and lines are told, the script last", () => {
  expect(readPhpStack(PROGRAM, imageOf(3))).toEqual({
    got: "stack",
    frames: [
      { function: "f2", class: "C", file: "/srv/f2.php", line: 15 },
      { function: "f1", class: "C", file: "/srv/f1.php", line: 15 },
      { function: "{main}", class: null, file: "/srv/index.php", line: 15 },
    ],
    isCut: false,
    isMoving: false,
  });
});

test("where no PHP code runs there is no stack", () => {
  const image = imageOf(3);
  image.setCurrent(0);
  expect(readPhpStack(PROGRAM, image)).toEqual({ got: "nothing" });
});

test("of more frames than are read the top ones are told, and that there are more", () => {
  const stack = readPhpStack(PROGRAM, imageOf(FRAMES_MOST + 100));
  if (stack.got !== "stack") throw new Error(JSON.stringify(stack));
  expect(stack.isCut).toBe(true);
  expect(stack.frames).toHaveLength(FRAMES_MOST);
  expect(stack.frames[0]!.function).toBe(`f${FRAMES_MOST + 99}`);
});

test("a line that is not in the function is none", () => {
  const image = imageOf(1);
  image.setCurrent(image.frame(1, image.userFunction("f"), image.instruction(99)));
  const stack = readPhpStack(PROGRAM, image);
  expect(stack).toMatchObject({ frames: [{ function: "f", line: null }, { function: "{main}" }] });
});

test("while an exception is on its way the line is that of the throw", () => {
  const image = imageOf(2);
  const exception = 600;
  image.globals.setBigUint64(exception - 8, BigInt(image.instruction(12)), true);
  image.setCurrent(image.frame(1, image.userFunction("f"), PROGRAM.executorGlobals + exception));
  expect(readPhpStack(PROGRAM, image)).toMatchObject({ frames: [{ function: "f", line: 12 }, {}] });
});

test("an instruction of include tells what a file was run for", () => {
  const image = imageOf(1);
  const include = image.instruction(11);
  image.number(include + 20, 16);
  image.bytes[include + 28 - START] = 73;
  image.frame(0, image.userFunction(null), include);
  image.setCurrent(image.frame(1, image.userFunction(null), image.instruction(15)));
  const stack = readPhpStack(PROGRAM, image);
  expect(stack).toMatchObject({ frames: [{ function: "require_once" }, { function: "{main}" }] });
});

test("functions that come and go on top are left out, and it is said that they do", () => {
  const image = imageOf(5);
  const callee = image.userFunction("busy");
  const line = image.instruction(15);
  let turn = 0;
  image.meanwhile = () => image.setCurrent(image.frame(5 + (turn++ % 3), callee, line));
  image.meanwhile();
  image.meanwhile();
  image.meanwhile();
  const stack = readPhpStack(PROGRAM, image);
  if (stack.got !== "stack") throw new Error(JSON.stringify(stack));
  expect(stack.isMoving).toBe(true);
  expect(stack.frames.map((frame) => frame.function).slice(-5)).toEqual([
    "f4",
    "f3",
    "f2",
    "f1",
    "{main}",
  ]);
});

test("a stack that is another one at each look is not told", () => {
  const image = imageOf(1);
  const chance = random(3);
  image.meanwhile = () => image.setCurrent(START + 0x10_0000 + 16 * chance.below(5000));
  expect(readPhpStack(PROGRAM, image).got).toBe("unsure");
});

test("frames in a circle, or without end, end soon", () => {
  const circle = imageOf(3);
  circle.word(
    circle.frame(0, circle.userFunction(null), 0) + 48,
    circle.frame(2, circle.userFunction("x"), 0),
  );
  expect(readPhpStack(PROGRAM, circle)).toMatchObject({ got: "unsure" });
  expect(circle.bytesRead).toBeLessThanOrEqual(MOST_BYTES);
  const endless = endlessFrames();
  expect(readPhpStack(PROGRAM, endless).got).toBe("unsure");
  expect(endless.bytesRead).toBeLessThanOrEqual(MOST_BYTES);
});

/** A frame stands wherever one looks, and its caller right below it. */
function endlessFrames() {
  const memory = {
    bytesRead: 0,
    readAll: (ranges: readonly { offset: number; length: number }[]) =>
      ranges.map(({ offset, length }) => {
        memory.bytesRead += length;
        const bytes = new Uint8Array(length);
        const view = new DataView(bytes.buffer);
        for (let at = 0; at + 8 <= length; at += 8)
          view.setBigUint64(at, BigInt(offset + at - 8), true);
        return bytes;
      }),
  };
  return memory;
}

test("a text that claims to be longer than any memory is none", () => {
  const image = imageOf(1);
  const callee = image.userFunction("f");
  const name = image.text("name");
  image.word(name + 16, 2 ** 45);
  image.word(callee + 8, name);
  image.setCurrent(image.frame(1, callee, image.instruction(15)));
  expect(readPhpStack(PROGRAM, image)).toMatchObject({
    got: "unsure",
    why: "what its memory says of the functions makes no sense",
  });
});

test("a very long name is cut", () => {
  const image = imageOf(1);
  image.setCurrent(image.frame(1, image.userFunction("f".repeat(5000)), image.instruction(15)));
  const stack = readPhpStack(PROGRAM, image);
  expect(stack).toMatchObject({ frames: [{ function: `${"f".repeat(1024)}…` }, {}] });
});

test("whatever is overwritten in it, there is an answer of bounded size", () => {
  const chance = random(11);
  const got = new Map<string, number>();
  for (let round = 0; round < 3000; round++) {
    const image = new PhpImage(256 * 1024 + 0x10_0000);
    build(image, 1 + chance.below(12));
    for (let wounds = 1 + chance.below(40); wounds > 0; wounds--) wound(image, chance);
    const stack = readPhpStack(PROGRAM, image);
    expect(image.bytesRead).toBeLessThanOrEqual(MOST_BYTES);
    expect(JSON.stringify(stack).length).toBeLessThan(FRAMES_MOST * 8 * 1024);
    got.set(stack.got, (got.get(stack.got) ?? 0) + 1);
  }
  // Each kind of answer came up, or the wounds say nothing.
  expect([...got.keys()].sort()).toEqual(["nothing", "stack", "unsure"]);
});

function build(image: PhpImage, depth: number): void {
  const line = image.instruction(15);
  for (let place = 0; place < depth; place++) {
    const callee = image.userFunction(place === 0 ? null : `f${place}`, place % 2 ? "C" : null);
    image.setCurrent(image.frame(place, callee, line));
  }
}

/** Writes something into a place that is used: a small number, an address, or noise. */
function wound(image: PhpImage, chance: ReturnType<typeof random>): void {
  const value = chance.of([
    () => chance.below(64),
    () => START + 8 * chance.below(0x2_0000),
    () => START + 0x10_0000 + 96 * chance.below(14),
    () => PROGRAM.executorGlobals + 8 * chance.below(512),
    () => chance.below(2 ** 32) * 2 ** 20,
  ])();
  if (chance.chance(0.02)) return image.setCurrent(value);
  const base = chance.chance(0.5) ? START : START + 0x10_0000;
  image.word(base + 8 * chance.below(chance.chance(0.5) ? 200 : 1200), value);
}

test("noise is no stack", () => {
  const chance = random(5);
  for (let round = 0; round < 200; round++) {
    const image = new PhpImage(64 * 1024);
    for (let at = 0; at < image.bytes.length; at += 4)
      image.view.setUint32(at, chance.below(2 ** 32), true);
    image.setCurrent(START + 8 * chance.below(4096));
    expect(readPhpStack(PROGRAM, image).got).toBe("unsure");
    expect(image.bytesRead).toBeLessThanOrEqual(MOST_BYTES);
  }
});

test("a version that is not known has no layout", () => {
  expect(phpLayout("8.2.29")?.filename).toBe(152);
  expect(phpLayout("5.6.40")).toBe(null);
  expect(phpLayout("9.0.0")).toBe(null);
  expect(phpLayout("constructor")).toBe(null);
});
