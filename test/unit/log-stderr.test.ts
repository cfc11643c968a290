// stderr as the log, in a process of its own whose stderr is a pipe, a socket or a file of ours.

import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checked, libc, ptr } from "../../src/sys/libc.ts";
import { eventually } from "../helper/wait.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fv-log-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const LOGGER = join(import.meta.dir, "../../src/log/logger.ts");
const LINES = 20_000;

/** A script that logs LINES lines, says so in the file `done`, and ends when the file `end` is there. */
function script(body: string): string {
  const path = join(dir, "script.ts");
  writeFileSync(
    path,
    `import { Log } from ${JSON.stringify(LOGGER)};
     import { existsSync, writeFileSync } from "node:fs";
     const log = new Log({ file: null, level: "notice", format: "json" });
     const say = (text) => log.output({ pool: "www", pid: 1, byLeader: false, level: null, text });
     const done = () => writeFileSync(${JSON.stringify(join(dir, "done"))}, "");
     const end = async () => {
       while (!existsSync(${JSON.stringify(join(dir, "end"))})) await Bun.sleep(10);
     };
     ${body}
     log.close();`,
  );
  return path;
}

const FLOOD = `for (let i = 0; i < ${LINES}; i++) say(String(i)); done(); await end(); say("last");`;

/** What a log that fell behind must be: lines without a gap, the announcement of one, later lines. */
function expectGapAnnounced(log: string): void {
  const records = log
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const gap = records.findIndex(({ event }) => event === "log-lost");
  expect(gap).toBeGreaterThan(0);
  const before = records.slice(0, gap).map(({ text }) => text);
  expect(before).toEqual(before.map((_, i) => String(i)));
  expect(records[gap].lines).toBe(LINES - gap);
  expect(records.slice(gap + 1).map(({ text }) => text)).toEqual(["last"]);
}

test("a pipe whose reader stalls does not stop the process, and the gap is told", async () => {
  const [done, end, out] = ["done", "end", "out"].map((name) => join(dir, name));
  const shell = Bun.spawn([
    "sh",
    "-c",
    `"$1" "$2" 2>&1 >/dev/null | { while [ ! -e "$3" ]; do sleep 0.05; done; cat > "$4"; }`,
    "sh",
    process.execPath,
    script(FLOOD),
    done!,
    out!,
  ]);
  await eventually(() => existsSync(out!) && readFileSync(out!, "utf8").includes("log-lost"));
  writeFileSync(end!, "");
  expect(await shell.exited).toBe(0);
  expectGapAnnounced(readFileSync(out!, "utf8"));
});

test("a socket whose reader stalls does not stop the process either", async () => {
  const [ours, theirs] = socketPair();
  const child = Bun.spawn([process.execPath, script(FLOOD)], {
    stdio: ["ignore", "ignore", theirs],
  });
  try {
    closeSync(theirs);
    await eventually(() => existsSync(join(dir, "done")));
    let text = "";
    await eventually(() => (text += received(ours)).includes("log-lost"));
    writeFileSync(join(dir, "end"), "");
    expect(await child.exited).toBe(0);
    expectGapAnnounced(text + received(ours));
  } finally {
    child.kill("SIGKILL");
    closeSync(ours);
  }
});

/** A pair of blocking stream sockets, as the journal's is. */
function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  const [AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC] = [1, 1, 0o2000000];
  checked("socketpair", libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ptr(pair)));
  return [pair[0]!, pair[1]!];
}

/** All that is there to be read now. */
function received(fd: number): string {
  const MSG_DONTWAIT = 0x40;
  const buffer = Buffer.alloc(1 << 20);
  let length = 0;
  for (;;) {
    const rest = buffer.subarray(length);
    const count = Number(libc.recv(fd, ptr(rest), BigInt(rest.length), MSG_DONTWAIT));
    if (count <= 0) return buffer.toString("utf8", 0, length);
    length += count;
  }
}

test("a reader that is gone does no harm", async () => {
  const [gone, code] = [join(dir, "gone"), join(dir, "code")];
  const body = `
    while (!existsSync(${JSON.stringify(gone)})) await Bun.sleep(5);
    for (let i = 0; i < 1000; i++) { say("x"); await 0; }
    done();`;
  const shell = Bun.spawn([
    "sh",
    "-c",
    `{ "$1" "$2" 2>&1 >/dev/null; echo $? >"$3"; } | { exec <&-; : >"$4"; }`,
    "sh",
    process.execPath,
    script(body),
    code,
    gone,
  ]);
  expect(await shell.exited).toBe(0);
  await eventually(() => existsSync(code) && readFileSync(code, "utf8") === "0\n");
  expect(existsSync(join(dir, "done"))).toBe(true);
});

test("a plain file behind stderr is shared with what else is written there", async () => {
  const path = join(dir, "err");
  const fd = openSync(path, "w");
  const child = Bun.spawn(
    [process.execPath, script(`say("one"); process.stderr.write("between\\n"); say("two");`)],
    { stdio: ["ignore", "ignore", fd] },
  );
  closeSync(fd);
  expect(await child.exited).toBe(0);
  const lines = readFileSync(path, "utf8").split("\n");
  expect([lines[0], lines[2]].map((line) => JSON.parse(line!).text)).toEqual(["one", "two"]);
  expect(lines[1]).toBe("between");
});
