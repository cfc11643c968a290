// allowed_clients as a classic BPF program on the listening socket: it works for every FastCGI
// program, needs no root, and a stranger's SYN is simply not answered. Pure: entries in, program out.

import type { IpBlock } from "../sys/socket/ip.ts";
import type { BpfInstruction } from "../sys/socket/socket.ts";

// linux/bpf_common.h: load a word absolute, jump if equal, and, return.
const LD_W_ABS = 0x20;
const AND_K = 0x54;
const JEQ_K = 0x15;
const RET_K = 0x06;
const JMP_A = 0x05;
/** Offset that makes a load relative to the IP header (linux/filter.h). */
const SKF_NET_OFF = -0x100000;
const ACCEPT = 0x7fffffff;

/** Where the source address stands in an IPv4 and in an IPv6 header. */
const SOURCE = { 4: 12, 16: 8 } as const;

/**
 * A program that lets through packets whose source is in one of the blocks. The IP version is
 * looked at first, because one socket can get both.
 */
export function filterProgram(blocks: readonly IpBlock[]): BpfInstruction[] {
  const version = [
    { code: LD_W_ABS, jt: 0, jf: 0, k: SKF_NET_OFF },
    { code: AND_K, jt: 0, jf: 0, k: 0xf0000000 },
  ];
  const of = (length: number) => blocks.filter((block) => block.bytes.length === length);
  const v4 = of(4).flatMap(blockTest);
  const v6 = of(16).flatMap(blockTest);
  const reject = { code: RET_K, jt: 0, jf: 0, k: 0 };
  return [
    ...version,
    ...section(0x40000000, [...v4, reject]),
    ...section(0x60000000, [...v6, reject]),
    reject,
  ];
}

/** Instructions for one IP version; passed over when the version is another one. */
function section(version: number, body: readonly BpfInstruction[]): BpfInstruction[] {
  return [
    { code: JEQ_K, jt: 1, jf: 0, k: version },
    // A conditional jump reaches 255 instructions only, this one any number.
    { code: JMP_A, jt: 0, jf: 0, k: body.length },
    ...body,
  ];
}

/** Compares the source word by word; ends with "accept" when all significant bits agree. */
function blockTest(block: IpBlock): BpfInstruction[] {
  const words = Math.ceil(block.bits / 32);
  const view = new DataView(block.bytes.buffer, block.bytes.byteOffset);
  const tests: BpfInstruction[] = [];
  // Each word takes three instructions; a word that differs jumps behind this block's accept.
  for (let word = 0; word < words; word++) {
    const bits = Math.min(32, block.bits - word * 32);
    const mask = bits === 32 ? 0xffffffff : ~(0xffffffff >>> bits) >>> 0;
    const left = (words - word - 1) * 3 + 1;
    tests.push(
      {
        code: LD_W_ABS,
        jt: 0,
        jf: 0,
        k: SKF_NET_OFF + SOURCE[block.bytes.length as 4 | 16] + word * 4,
      },
      { code: AND_K, jt: 0, jf: 0, k: mask },
      { code: JEQ_K, jt: 0, jf: left, k: (view.getUint32(word * 4) & mask) >>> 0 },
    );
  }
  return [...tests, { code: RET_K, jt: 0, jf: 0, k: ACCEPT }];
}
