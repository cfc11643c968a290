// What the frames of a PHP stack are called: function, class, file and line, out of the engine's records of the
// functions. What does not fit together is no name: the whole stack is then not believed.

import { type Bytes, isPlace, type LimitedMemory } from "./memory-bytes.ts";
import type { RawFrame } from "./php-chain.ts";
import { CLASS, EVAL, FUNCTION, INTERNAL, OPLINE, STRING, USER } from "./php-layout.ts";
import type { PhpProgram } from "./php-program.ts";
import { type Frame, MAIN } from "./stack.ts";

interface FunctionRecord {
  readonly type: number;
  /** null: the code of a file or of an eval. */
  readonly name: string | null;
  readonly class: string | null;
  readonly file: string | null;
  readonly firstLine: number;
  readonly lastLine: number;
}

interface Instruction {
  readonly line: number;
  readonly code: number;
  readonly extended: number;
}

/** What was found before, by address. Only for looks at the same request: a later one may use the place anew. */
export class PhpNames {
  readonly functions = new Map<number, FunctionRecord>();
  readonly instructions = new Map<number, Instruction>();
}

/** null: what was read makes no sense. */
export function nameFrames(
  frames: readonly RawFrame[],
  program: PhpProgram,
  memory: LimitedMemory,
  names: PhpNames,
): Frame[] | null {
  readFunctions(frames, program, memory, names);
  const records = frames.map((frame) => names.functions.get(frame.function));
  if (!records.every((record) => record !== undefined)) return null;
  const isCode = (i: number) => records[i]!.type !== INTERNAL;
  const code = frames.filter((_, i) => isCode(i));
  const instructions = readInstructions(code, program, memory, names);
  const at = (i: number) =>
    i < frames.length && isCode(i) ? instructions.get(frames[i]!.opline) : undefined;
  return frames.flatMap((_, i): Frame[] => {
    const record = records[i]!;
    // Where a fiber begins stands one without a name.
    if (record.name === null && !isCode(i)) return [];
    const place = { file: record.file, line: lineOf(record, at(i)) };
    if (record.name !== null) return [{ function: record.name, class: record.class, ...place }];
    const word = i === frames.length - 1 ? MAIN : includeWord(record, at(i + 1));
    return [{ function: word, class: null, ...place }];
  });
}

/** zend_vm_opcodes.h. */
const INCLUDE_OR_EVAL = 73;
/** zend_compile.h, by `extended_value` of such an instruction. */
const INCLUDE_WORDS: Readonly<Record<number, string>> = {
  1: "eval",
  2: "include",
  4: "include_once",
  8: "require",
  16: "require_once",
};

/** What a file's or an eval's code runs for. */
function includeWord({ type }: FunctionRecord, caller: Instruction | undefined): string {
  if (type === EVAL) return "eval";
  const word = caller?.code === INCLUDE_OR_EVAL ? INCLUDE_WORDS[caller.extended] : undefined;
  return word ?? MAIN;
}

/** A line outside of the function is none: the engine keeps its place in a register now and then. */
function lineOf(
  { firstLine, lastLine }: FunctionRecord,
  at: Instruction | undefined,
): number | null {
  if (at === undefined || at.line === 0) return null;
  return at.line >= firstLine && at.line <= lastLine ? at.line : null;
}

// ---------------------------------------------------------------- instructions

/** By address, as far as they can be read. */
function readInstructions(
  frames: readonly RawFrame[],
  program: PhpProgram,
  memory: LimitedMemory,
  names: PhpNames,
): ReadonlyMap<number, Instruction> {
  const wanted = new Set(frames.map(({ opline }) => opline).filter(isPlace));
  const missing = [...wanted].filter((opline) => !names.instructions.has(opline));
  if (missing.length === 0) return names.instructions;
  const places = missing.map((opline) => codePlace(opline, program, memory));
  const read = memory.readAll(places.map((offset) => ({ offset, length: OPLINE.bytes })));
  const thrown = new Map<number, Instruction>();
  missing.forEach((opline, i) => {
    const bytes = read[i]!;
    if (bytes === null) return;
    const [line, code] = [bytes.number(OPLINE.line), bytes.byte(OPLINE.code)];
    // That of an exception is another one each time.
    const found = places[i] === opline ? names.instructions : thrown;
    found.set(opline, { line, code, extended: bytes.number(OPLINE.extended) });
  });
  return thrown.size === 0 ? names.instructions : new Map([...names.instructions, ...thrown]);
}

const GLOBALS_BYTES = 2048;

/**
 * While an exception is on its way the engine points into its own record, right in front of which it keeps
 * where the exception was thrown (zend_globals.h: opline_before_exception, exception_op).
 */
function codePlace(opline: number, { executorGlobals }: PhpProgram, memory: LimitedMemory): number {
  const isOwn = opline > executorGlobals && opline < executorGlobals + GLOBALS_BYTES;
  return isOwn ? (memory.read(opline - 8, 8)?.word(0) ?? 0) : opline;
}

// ---------------------------------------------------------------- functions

interface Head {
  readonly address: number;
  readonly bytes: Bytes;
  readonly isCode: boolean;
  readonly name: number;
  readonly scope: number;
  readonly file: number;
}

function readFunctions(
  frames: readonly RawFrame[],
  { layout }: PhpProgram,
  memory: LimitedMemory,
  { functions }: PhpNames,
): void {
  const wanted = new Set(frames.map((frame) => frame.function));
  const missing = [...wanted].filter((address) => !functions.has(address));
  const length = layout.filename + 16;
  const heads = memory
    .readAll(missing.map((offset) => ({ offset, length })))
    .map((bytes) => (bytes === null ? null : headOf(bytes, layout.filename)))
    .filter((head) => head !== null);
  const scopes = memory.readAll(
    heads.filter(({ scope }) => scope !== 0).map(({ scope }) => ({ offset: scope, length: 16 })),
  );
  const classes = new Map(scopes.map((bytes) => [bytes?.address, bytes?.word(CLASS.name) ?? 0]));
  const texts = readTexts(
    heads.flatMap(({ name, file, scope }) => [name, file, classes.get(scope) ?? 0]),
    memory,
  );
  for (const head of heads) {
    const { address, bytes, isCode, name, scope, file } = head;
    const text = (at: number) => (at === 0 ? null : texts.get(at));
    const record = {
      type: bytes.byte(FUNCTION.type),
      name: text(name),
      class: scope === 0 ? null : text(classes.get(scope) ?? 0),
      file: isCode ? text(file) : null,
      firstLine: isCode ? bytes.number(layout.filename + 8) : 0,
      lastLine: isCode ? bytes.number(layout.filename + 12) : 0,
    };
    const { name: named, class: ofClass, file: inFile } = record;
    if (named === undefined || ofClass === undefined || inFile === undefined) continue;
    if (isCode && inFile === null) continue;
    functions.set(address, { ...record, name: named, class: ofClass, file: inFile });
  }
}

/** null: no function begins so. */
function headOf(bytes: Bytes, filename: number): Head | null {
  const type = bytes.byte(FUNCTION.type);
  if (type !== INTERNAL && type !== USER && type !== EVAL) return null;
  const isCode = type !== INTERNAL;
  const [name, scope] = [bytes.word(FUNCTION.name), bytes.word(FUNCTION.scope)];
  const file = isCode ? bytes.word(filename) : 0;
  const fits = [name, scope, file].every((address) => address === 0 || isPlace(address));
  return fits ? { address: bytes.address, bytes, isCode, name, scope, file } : null;
}

// ---------------------------------------------------------------- texts

/** Bytes that are read at first: most names are shorter. */
const SHORT_TEXT = 104;
/** Bytes; a longer text is cut. */
const TEXT_MOST = 1024;
/** No name of anything is longer; what says so is none. */
const LENGTH_MOST = 1024 * 1024;

function readTexts(addresses: readonly number[], memory: LimitedMemory): Map<number, string> {
  const wanted = [...new Set(addresses)].filter(isPlace);
  const length = STRING.text + SHORT_TEXT;
  const read = memory.readAll(wanted.map((offset) => ({ offset, length })));
  const texts = new Map<number, string>();
  wanted.forEach((address, i) => {
    const text = textOf(address, read[i]!, memory);
    if (text !== null) texts.set(address, text);
  });
  return texts;
}

/** null: it is no zend_string. */
function textOf(address: number, first: Bytes | null, memory: LimitedMemory): string | null {
  // The memory behind it may belong to nobody.
  const head = first ?? memory.read(address, STRING.text);
  const length = head?.word(STRING.length) ?? 0;
  if (head === null || length === 0 || length > LENGTH_MOST) return null;
  const kept = Math.min(length, TEXT_MOST);
  const isWhole = head.all.length > STRING.text + kept;
  const bytes = isWhole ? head : memory.read(address, STRING.text + kept + 1);
  if (bytes === null) return null;
  if (length === kept && bytes.byte(STRING.text + kept) !== 0) return null;
  const text = new TextDecoder().decode(bytes.all.subarray(STRING.text, STRING.text + kept));
  const plain = text.replace(PLACE_OF_ANONYMOUS, "");
  return kept < length ? `${plain}…` : plain;
}

/** `class@anonymous` goes on, behind a NUL, with where it stands; a closure's name may have such a one in it. */
const PLACE_OF_ANONYMOUS = /\0.*?(?:\$[0-9a-f]+(?=::|$)|$)/gs;
