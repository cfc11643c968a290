// The stack of a PHP process, read out of its memory while it runs on: it is not stopped, not asked, and does not
// notice. What it says is its own affair, so whatever stands there gives an answer soon, of bounded size.

import { now } from "../sys/clock.ts";
import { withMemory } from "../sys/proc/memory.ts";
import { LimitedMemory, type Memory } from "./memory-bytes.ts";
import { type Chain, readChain } from "./php-chain.ts";
import { nameFrames, PhpNames } from "./php-names.ts";
import { type Lack, type PhpProgram, phpProgramOf } from "./php-program.ts";
import type { Stack, StackReader } from "./stack.ts";

/** Frames of one stack; a recursion without end has more. */
export const FRAMES_MOST = 500;
const BYTES_MOST = 1024 * 1024;
/** The names of a stack that is gone meanwhile make no sense. */
const TRIES = 3;
/** What was found is looked up anew after so many milliseconds: a script may define functions as it runs. */
const NAMES_MOST_MS = 1000;

export class PhpStackReader implements StackReader {
  private readonly pid: number;
  private readonly program: PhpProgram | Lack;
  private readonly memo = new Memo();

  constructor(pid: number) {
    this.pid = pid;
    this.program = phpProgramOf(pid);
  }

  read(): Stack {
    const { program } = this;
    if ("lack" in program) return { got: "unsure", why: program.lack };
    const stack = withMemory(this.pid, (memory) => readPhpStack(program, memory, this.memo));
    return stack ?? { got: "unsure", why: "the kernel does not let its memory be read" };
  }
}

type Frames = Extract<Chain, { got: "frames" }>;

/** What earlier looks have found. */
export class Memo {
  /** Address of the frame that ran. */
  top = 0;
  private found = new PhpNames();
  private since = now();
  private request: string | null = null;
  private last: { readonly chain: Frames; readonly stack: Stack } | null = null;

  /** What is known of the functions of this request: another one may have others at the same place. */
  names(request: string | null): PhpNames {
    const isOld = now() - this.since > NAMES_MOST_MS;
    if (request === null || request !== this.request || isOld) {
      this.found = new PhpNames();
      this.since = now();
      this.request = request;
      this.last = null;
    }
    return this.found;
  }

  /** The stack of the last look, when it was of these frames. */
  same(chain: Frames): Stack | null {
    return this.last !== null && areSame(this.last.chain, chain) ? this.last.stack : null;
  }

  keep(chain: Frames, stack: Stack): Stack {
    this.last = { chain, stack };
    return stack;
  }
}

function areSame(some: Frames, others: Frames): boolean {
  const isAlike = some.isCut === others.isCut && some.isMoving === others.isMoving;
  if (!isAlike || some.frames.length !== others.frames.length) return false;
  for (let i = 0; i < some.frames.length; i++) {
    const [one, other] = [some.frames[i]!, others.frames[i]!];
    if (one.function !== other.function || one.opline !== other.opline) return false;
  }
  return true;
}

/** The stack in a memory. */
export function readPhpStack(program: PhpProgram, memory: Memory, memo = new Memo()): Stack {
  const limited = new LimitedMemory(memory, BYTES_MOST);
  let got: Chain["got"] = "unsure";
  for (let tries = 0; tries < TRIES; tries++) {
    const chain = readChain(program, limited, FRAMES_MOST, memo.top);
    memo.top = chain.got === "frames" ? (chain.frames[0]?.address ?? 0) : 0;
    ({ got } = chain);
    if (chain.got === "nothing") return chain;
    if (chain.got === "unsure") continue;
    const names = memo.names(chain.request);
    const same = memo.same(chain);
    if (same !== null) return same;
    const frames = nameFrames(chain.frames, program, limited, names);
    const { isCut, isMoving } = chain;
    if (frames !== null && frames.length > 0)
      return memo.keep(chain, { got: "stack", frames, isCut, isMoving });
  }
  return {
    got: "unsure",
    why:
      got === "unsure"
        ? "its stack changes faster than it can be read"
        : "what its memory says of the functions makes no sense",
  };
}
