// allowed_clients, checked by running the program: a small interpreter of classic BPF, written from
// the kernel's documentation (networking/filter.rst), on headers of IPv4 and IPv6 packets.

import { expect, test } from "bun:test";
import { clients, filterLength } from "../../src/config/settings/special-values.ts";
import { filterProgram } from "../../src/socket/filter.ts";
import { parseIpBlock } from "../../src/sys/socket/ip.ts";
import type { BpfInstruction } from "../../src/sys/socket/socket.ts";

/** What the kernel refuses to load: BPF_MAXINSNS. */
const MOST_INSTRUCTIONS = 4_096;
/** SKF_NET_OFF: offsets from here on count from the IP header. */
const NETWORK_HEADER = -0x100000;

/** Runs the program on an IP packet: how many bytes of it are accepted, 0 = dropped. */
function run(program: readonly BpfInstruction[], packet: DataView): number {
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const { code, jt, jf, k } = program[at]!;
    switch (code) {
      case 0x20: {
        const offset = k - NETWORK_HEADER;
        // A load past the end of the packet ends the program, and drops it.
        if (offset < 0 || offset + 4 > packet.byteLength) return 0;
        accumulator = packet.getUint32(offset);
        break;
      }
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x15:
        at += accumulator === k >>> 0 ? jt : jf;
        break;
      case 0x05:
        at += k;
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${at} has code ${code}, which the program needs no more of`);
    }
  }
  throw new Error("the program runs past its end");
}

/** The header of a TCP packet from this address, as much of it as matters. */
function packetFrom(source: string): DataView {
  const bytes = parseIpBlock(source)!.bytes;
  const v6 = bytes.length === 16;
  const header = new Uint8Array(v6 ? 40 : 20);
  header[0] = v6 ? 0x60 : 0x45;
  header.set(bytes, v6 ? 8 : 12);
  // A destination that is in no list of these tests.
  header.fill(0xee, v6 ? 24 : 16);
  return new DataView(header.buffer);
}

function programFor(entries: readonly string[]): BpfInstruction[] {
  const blocks = entries.map((entry) => {
    const block = parseIpBlock(entry);
    if (block === null) throw new Error(`${entry} was not read`);
    return block;
  });
  const program = filterProgram(blocks);
  for (const [at, { jt, jf, k, code }] of program.entries()) {
    const jumps = code === 0x15 ? [jt, jf] : code === 0x05 ? [k] : [];
    for (const jump of jumps) expect(at + 1 + jump).toBeLessThan(program.length);
    for (const short of [jt, jf]) expect(short).toBeLessThanOrEqual(255);
  }
  return program;
}

function lets(entries: readonly string[], source: string): boolean {
  return run(programFor(entries), packetFrom(source)) > 0;
}

test("a single IPv4 address, and its neighbours", () => {
  const list = ["192.0.2.7"];
  expect(lets(list, "192.0.2.7")).toBe(true);
  for (const other of ["192.0.2.6", "192.0.2.8", "192.0.3.7", "193.0.2.7", "7.2.0.192"])
    expect(lets(list, other), other).toBe(false);
});

test("a single IPv6 address, and its neighbours in every word", () => {
  const list = ["2001:db8:1:2:3:4:5:6"];
  expect(lets(list, "2001:db8:1:2:3:4:5:6")).toBe(true);
  for (const other of [
    "2001:db8:1:2:3:4:5:7",
    "2001:db8:1:2:3:4:4:6",
    "2001:db8:1:2:3:5:5:6",
    "2001:db8:1:3:3:4:5:6",
    "2001:db9:1:2:3:4:5:6",
    "2003:db8:1:2:3:4:5:6",
  ])
    expect(lets(list, other), other).toBe(false);
});

test("an IPv4 address says nothing about an IPv6 packet with the same bytes, nor the other way", () => {
  expect(lets(["32.1.13.184"], "2001:db8::1")).toBe(false);
  expect(lets(["2001:db8::/32"], "32.1.13.184")).toBe(false);
});

/** The address with one bit of it turned. */
function turned(bytes: Uint8Array, bit: number): Uint8Array {
  const other = bytes.slice();
  other[bit >> 3]! ^= 0x80 >> (bit & 7);
  return other;
}

function textOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2).toString(16)).join(":");
}

for (const address of ["203.0.113.201", "2001:db8:a5a5:5a5a:ffff:0:1234:8001"]) {
  const { bytes } = parseIpBlock(address)!;
  for (let length = 0; length <= bytes.length * 8; length++) {
    test(`${address}/${length} looks at the first ${length} bits and no others`, () => {
      const program = programFor([`${address}/${length}`]);
      expect(run(program, packetFrom(address))).toBeGreaterThan(0);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const passes = run(program, packetFrom(textOf(turned(bytes, bit)))) > 0;
        expect(passes, `bit ${bit}`).toBe(bit >= length);
      }
    });
  }
}

test("/0 is everybody of its version, and nobody of the other", () => {
  for (const source of ["0.0.0.0", "255.255.255.255", "127.0.0.1"])
    expect(lets(["0.0.0.0/0"], source)).toBe(true);
  expect(lets(["0.0.0.0/0"], "::1")).toBe(false);
  expect(lets(["::/0"], "::1")).toBe(true);
  expect(lets(["::/0"], "127.0.0.1")).toBe(false);
});

test("a mixed list lets each of its entries through, whatever its place", () => {
  const list = ["127.0.0.1", "::1", "10.0.0.0/8", "fe80::/10", "192.168.4.0/22", "2001:db8::42"];
  const inside = ["127.0.0.1", "::1", "10.255.1.2", "febf::1", "192.168.7.255", "2001:db8::42"];
  const outside = ["127.0.0.2", "::2", "11.0.0.0", "fec0::1", "192.168.8.0", "2001:db8::43"];
  for (const order of [list, list.toReversed()]) {
    for (const source of inside) expect(lets(order, source), source).toBe(true);
    for (const source of outside) expect(lets(order, source), source).toBe(false);
  }
});

test("a list with no entry of a version lets none of that version through", () => {
  expect(lets(["127.0.0.1"], "::1")).toBe(false);
  expect(lets([], "127.0.0.1")).toBe(false);
});

test("hundreds of entries work, up to the last, although a conditional jump is short", () => {
  const v4 = Array.from({ length: 500 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
  const v6 = Array.from({ length: 100 }, (_, i) => `2001:db8:${i.toString(16)}::1`);
  const program = programFor([...v4, ...v6]);
  expect(program.length).toBeLessThanOrEqual(MOST_INSTRUCTIONS);
  const passes = (source: string) => run(program, packetFrom(source)) > 0;
  expect([passes("10.0.0.9"), passes("10.1.243.9"), passes("10.1.244.9")]).toEqual([
    true,
    true,
    false,
  ]);
  expect([passes("2001:db8::1"), passes("2001:db8:63::1"), passes("2001:db8:64::1")]).toEqual([
    true,
    true,
    false,
  ]);
});

test("a packet that is neither, or too short, is dropped", () => {
  const program = programFor(["0.0.0.0/0", "::/0", "127.0.0.1", "::1"]);
  expect(run(program, new DataView(new ArrayBuffer(0)))).toBe(0);
  const strange = new Uint8Array(40);
  strange[0] = 0x50;
  expect(run(program, new DataView(strange.buffer))).toBe(0);
  const short = new Uint8Array(8);
  short[0] = 0x45;
  expect(run(programFor(["127.0.0.1"]), new DataView(short.buffer))).toBe(0);
});

test("a random list agrees with arithmetic on the addresses", () => {
  let state = 20_260_101;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
  const word = () => random(2 ** 32);
  const text = (value: number) => [24, 16, 8, 0].map((by) => (value >>> by) & 255).join(".");
  for (let round = 0; round < 50; round++) {
    const list = Array.from({ length: 1 + random(20) }, () => [word(), random(33)] as const);
    const program = programFor(list.map(([value, bits]) => `${text(value)}/${bits}`));
    for (let i = 0; i < 40; i++) {
      const near = list[random(list.length)]!;
      const source = (near[0] ^ (i % 2 === 0 ? 1 << random(32) : word())) >>> 0;
      const wanted = list.some(
        ([value, bits]) => bits === 0 || source >>> (32 - bits) === value >>> (32 - bits),
      );
      expect(run(program, packetFrom(text(source))) > 0, `${text(source)} in ${list}`).toBe(wanted);
    }
  }
});

test("what is no address and no block is not read", () => {
  for (const text of [
    "",
    "localhost",
    "127.0.0",
    "127.0.0.1.1",
    "256.0.0.1",
    "127.0.0.1/33",
    "::1/129",
    "::1/-1",
    "127.0.0.1/",
    "127.0.0.1/8/8",
    "127.0.0.1/1e1",
    "127.0.0.1/0x8",
    "127.0.0.1 ",
    "1::2::3",
    "[::1]",
  ])
    expect(parseIpBlock(text), text).toBeNull();
});

test("the config refuses just what the kernel would", () => {
  const list = (count: number, more: string[] = []) => [
    ...Array.from({ length: count }, (_, i) => `fd00::${i.toString(16)}`),
    ...more,
  ];
  for (const entries of [list(0), list(3, ["10.0.0.0/8", "::/0", "0.0.0.0/0", "fd00::/33"])])
    expect(filterLength(entries.map((entry) => parseIpBlock(entry)!))).toBe(
      programFor(entries).length,
    );
  expect(clients.parse(list(314), "/")).toHaveProperty("ok");
  expect(clients.parse(list(315), "/")).toHaveProperty("problem");
  expect(programFor(list(314)).length).toBeLessThanOrEqual(MOST_INSTRUCTIONS);
  expect(programFor(list(315)).length).toBeGreaterThan(MOST_INSTRUCTIONS);
});
