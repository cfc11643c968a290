// The call stack of a worker, as far as the kind of program shows it to who looks from outside.

/** The script itself, which is no function. */
export const MAIN = "{main}";

export interface Frame {
  /** `{main}` for the script itself; `include`, `require_once`, `eval` … for what those run. */
  readonly function: string;
  readonly class: string | null;
  /** null for a function that is part of the language. */
  readonly file: string | null;
  /** Where in the file it is; null for a function of the language, and when the program does not tell. */
  readonly line: number | null;
}

export type Stack =
  | {
      readonly got: "stack";
      /** The function that runs first, the script last. */
      readonly frames: readonly Frame[];
      /** There are more than are read. */
      readonly isCut: boolean;
      /** The functions on top came and went faster than they could be read, and are left out. */
      readonly isMoving: boolean;
    }
  /** It runs no code of the kind: between two requests, or at the beginning or end of one. */
  | { readonly got: "nothing" }
  /** Why it cannot be told. */
  | { readonly got: "unsure"; readonly why: string };

/** Reads the stack of one process, again and again: what stays the same is looked up once. */
export interface StackReader {
  /** As it is at this moment. Never throws. */
  read(): Stack;
}
