// The state file is read with distrust: whatever it holds, the answer is a state or a Fault in words,
// and never anything else that is thrown.

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Fault, faultLines } from "../../src/fault.ts";
import {
  readState,
  removeState,
  type State,
  statePath,
  writeState,
} from "../../src/supervisor/recovery/state-file.ts";
import { STATE_FORMAT } from "../../src/supervisor/recovery/state-format.ts";
import { withTempDir } from "../config-cases/temp-dir.ts";

const POOL = {
  name: "www",
  address: { kind: "inet", host: "127.0.0.1", port: 9000 },
  inode: "4711",
  maker: "fcgivisor",
  runtime: "php-cgi",
  command: "php-cgi",
  stop_signal: null,
  drain_timeout_ms: 30_000,
  uid: 33,
  groups: [{ pid: 12, start_time: 99 }],
} as const;

const STATE: State = {
  format: STATE_FORMAT,
  version: "1.2.3",
  pid: 11,
  generation: 4,
  pools: [
    POOL,
    { ...POOL, name: "unix", address: { kind: "unix", path: "/run/a b.sock" }, command: null },
    {
      ...POOL,
      name: "six",
      maker: "systemd",
      address: { kind: "inet6", host: "::1", port: 1 },
      stop_signal: "SIGINT",
    },
  ],
};

/** The state as it is read back: who serves is found by the sockets, not by the file. */
const READ = STATE;

function reading(text: string | Uint8Array): Promise<State | null> {
  return withTempDir(async (dir) => {
    writeFileSync(statePath(dir), text);
    return readState(dir);
  });
}

async function refused(text: string | Uint8Array): Promise<string> {
  try {
    await reading(text);
  } catch (error) {
    expect(error).toBeInstanceOf(Fault);
    const lines = faultLines(error as Fault).join("\n");
    expect(lines).toContain("state.json");
    return lines;
  }
  throw new Error(`it was read: ${text}`);
}

test("what is written is read back", async () => {
  await withTempDir(async (dir) => {
    writeState(dir, STATE);
    expect(readState(dir)).toEqual(READ);
    expect(statSync(statePath(dir)).mode & 0o777).toBe(0o600);
    writeState(dir, { ...STATE, pools: [] });
    expect(readState(dir)?.pools).toEqual([]);
    removeState(dir);
    expect(readdirSync(dir)).toEqual([]);
    removeState(dir);
  });
});

test("no file is no state", async () => {
  await withTempDir(async (dir) => expect(readState(dir)).toBeNull());
});

test("a state that cannot be written leaves the one before whole", async () => {
  await withTempDir(async (dir) => {
    writeState(dir, STATE);
    mkdirSync(`${statePath(dir)}.new`);
    expect(() => writeState(dir, { ...STATE, generation: 5 })).toThrow();
    expect(readState(dir)).toEqual(READ);
  });
});

test("a file truncated anywhere is refused in words", async () => {
  const whole = JSON.stringify(STATE);
  for (let length = 0; length < whole.length; length++)
    expect(await refused(whole.slice(0, length))).toContain("--takeover");
});

test("a newer format is refused, and names itself and what can be read", async () => {
  const said = await refused(
    JSON.stringify({ ...STATE, format: STATE_FORMAT + 1, version: "9.9.9" }),
  );
  for (const part of ["newer", "9.9.9", String(STATE_FORMAT + 1), String(STATE_FORMAT)])
    expect(said).toContain(part);
});

const WRONG: readonly (readonly [string, unknown])[] = [
  ["nothing", null],
  ["a list", []],
  ["a number", 7],
  ["a text", "state"],
  ["no format", { ...STATE, format: undefined }],
  ["a format in words", { ...STATE, format: "1" }],
  ["no pools", { ...STATE, pools: undefined }],
  ["pools that are no list", { ...STATE, pools: { www: POOL } }],
  ["a pool that is none", { ...STATE, pools: ["www"] }],
  ["a pool without a name", { ...STATE, pools: [{ ...POOL, name: undefined }] }],
  ["a pool without a runtime", { ...STATE, pools: [{ ...POOL, runtime: 5 }] }],
  ["an inode that is a path", { ...STATE, pools: [{ ...POOL, inode: "../../etc" }] }],
  ["an inode that is empty", { ...STATE, pools: [{ ...POOL, inode: "" }] }],
  ["an endless drain", { ...STATE, pools: [{ ...POOL, drain_timeout_ms: null }] }],
  ["a negative drain", { ...STATE, pools: [{ ...POOL, drain_timeout_ms: -1 }] }],
  ["no address", { ...STATE, pools: [{ ...POOL, address: null }] }],
  ["an unknown address", { ...STATE, pools: [{ ...POOL, address: { kind: "ipx", host: "a" } }] }],
  ["a port in words", { ...STATE, pools: [{ ...POOL, address: { ...POOL.address, port: "80" } }] }],
  ["a socket without a path", { ...STATE, pools: [{ ...POOL, address: { kind: "unix" } }] }],
];

for (const [title, value] of WRONG) {
  test(`${title}: refused in words`, async () => {
    expect(await refused(JSON.stringify(value))).toContain("not understood");
  });
}

test("numbers that are none, or endless, do not get through", async () => {
  const text = JSON.stringify(STATE);
  expect(
    await refused(text.replace('"drain_timeout_ms":30000', '"drain_timeout_ms":1e999')),
  ).toContain("www");
  const state = await reading(text.replace('"generation":4', '"generation":1e999'));
  expect(state!.generation).toBe(0);
});

test("a stop signal that is none is not sent to anybody", async () => {
  const text = JSON.stringify({ ...STATE, pools: [{ ...POOL, stop_signal: "SIGFOO" }] });
  const state = await reading(text);
  expect(state!.pools[0]!.stop_signal).toBeNull();
});

test("what is not UTF-8, or binary, is refused in words", async () => {
  await refused(new Uint8Array([0xff, 0xfe, 0x00, 0x7b]));
  await refused(new Uint8Array(4_096));
});

test("a file that cannot be read is a Fault, too", async () => {
  await withTempDir(async (dir) => {
    mkdirSync(statePath(dir));
    expect(() => readState(dir)).toThrow(Fault);
  });
});

/** Bytes turned, cut out, doubled or put in, the same for the same seed. */
function damaged(text: string, seed: number): string {
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state ^ 0x5bd1e995, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
  const tokens = [
    "null",
    "-1",
    "1e999",
    '""',
    "[]",
    "{}",
    "\\u0000",
    '"',
    ",",
    "}",
    "9".repeat(40),
  ];
  let out = text;
  for (let hits = 1 + random(4); hits > 0; hits--) {
    const at = random(out.length + 1);
    const length = random(12);
    const parts = [out.slice(0, at), out.slice(at, at + length), out.slice(at + length)] as const;
    const ways = [
      parts[0] + parts[2],
      parts[0] + tokens[random(tokens.length)]! + parts[2],
      parts[0] + parts[1] + parts[1] + parts[2],
      parts[0] + String.fromCharCode(random(256)) + parts[2],
    ];
    out = ways[random(ways.length)]!;
  }
  return out;
}

test("3,000 damaged files: each a sound state or a Fault", async () => {
  const whole = JSON.stringify(STATE, null, 1);
  let understood = 0;
  await withTempDir(async (dir) => {
    for (let seed = 1; seed <= 3_000; seed++) {
      writeFileSync(statePath(dir), damaged(whole, seed));
      try {
        expectSound(readState(dir)!, `seed ${seed}`);
        understood++;
      } catch (error) {
        if (!(error instanceof Fault)) throw new Error(`seed ${seed}: ${error}`, { cause: error });
      }
    }
  });
  // Both must have happened, or the damage proves nothing.
  expect(understood).toBeGreaterThan(50);
  expect(understood).toBeLessThan(2_500);
});

function expectSound(state: State, seed: string): void {
  expect(state.format, seed).toBe(STATE_FORMAT);
  expect(Number.isSafeInteger(state.generation), `${seed}: generation ${state.generation}`).toBe(
    true,
  );
  for (const pool of state.pools) {
    expect(typeof pool.name, seed).toBe("string");
    expect(pool.inode, seed).toMatch(/^[0-9]+$/);
    expect(pool.drain_timeout_ms, seed).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(pool.drain_timeout_ms), `${seed}: endless drain`).toBe(true);
    expect(["unix", "inet", "inet6"], seed).toContain(pool.address.kind);
  }
}

test("nobody else can read what is written, whatever stood there before", async () => {
  await withTempDir(async (dir) => {
    writeFileSync(statePath(dir), "old");
    chmodSync(statePath(dir), 0o644);
    writeState(dir, STATE);
    expect(statSync(statePath(dir)).mode & 0o077).toBe(0);
    expect(readFileSync(statePath(dir), "utf8")).toEndWith("}\n");
  });
});
