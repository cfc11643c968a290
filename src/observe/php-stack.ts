// The stack of a PHP process, read out of its memory while it runs on: it is not stopped, not asked, and does not
// notice. What it says is its own affair, so whatever stands there gives an answer soon, of bounded size.

import { withMemory } from "../sys/proc/memory.ts";
import { LimitedMemory, type Memory } from "./memory-bytes.ts";
import { type Chain, readChain } from "./php-chain.ts";
import { nameFrames, type PhpFrame, PhpNames } from "./php-names.ts";
import { type PhpProgram, phpProgramOf } from "./php-program.ts";

export type { PhpFrame } from "./php-names.ts";

export type PhpStack =
  | {
      readonly got: "stack";
      /** The function that runs first, the script last. */
      readonly frames: readonly PhpFrame[];
      /** There are more than are read. */
      readonly isCut: boolean;
      /** The functions on top came and went faster than they could be read, and are left out. */
      readonly isMoving: boolean;
    }
  /** It runs no PHP code: between two requests, or at the beginning or end of one. */
  | { readonly got: "nothing" }
  /** Why it cannot be told. */
  | { readonly got: "unsure"; readonly why: string };

/** Frames of one stack; a recursion without end has more. */
export const FRAMES_MOST = 500;
const BYTES_MOST = 1024 * 1024;
/** The names of a stack that is gone meanwhile make no sense. */
const TRIES = 3;

/** The stack of a process at this moment. */
export function phpStackOf(pid: number): PhpStack {
  const program = phpProgramOf(pid);
  if ("lack" in program) return { got: "unsure", why: program.lack };
  const stack = withMemory(pid, (memory) => readPhpStack(program, memory));
  return stack ?? { got: "unsure", why: "the kernel does not let its memory be read" };
}

/** The same out of a memory; `names`: what earlier looks at the same request have found. */
export function readPhpStack(
  program: PhpProgram,
  memory: Memory,
  names = new PhpNames(),
): PhpStack {
  const limited = new LimitedMemory(memory, BYTES_MOST);
  let got: Chain["got"] = "unsure";
  for (let tries = 0; tries < TRIES; tries++) {
    const chain = readChain(program, limited, FRAMES_MOST);
    ({ got } = chain);
    if (chain.got === "nothing") return chain;
    if (chain.got === "unsure") continue;
    const frames = nameFrames(chain.frames, program, limited, names);
    const { isCut, isMoving } = chain;
    if (frames !== null && frames.length > 0) return { got: "stack", frames, isCut, isMoving };
  }
  return {
    got: "unsure",
    why:
      got === "unsure"
        ? "its stack changes faster than it can be read"
        : "what its memory says of the functions makes no sense",
  };
}
