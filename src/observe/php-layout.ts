// Where PHP's engine keeps what a stack is made of, by version: 64 bit, not thread-safe, the same on x64 and
// arm64. Zend/zend_globals.h and zend_compile.h say it; test/behaviour/php-stack.test.ts holds the rows of 7.4,
// 8.2 and 8.4 against the real programs. A version that is not in the table is not guessed at.

export interface PhpLayout {
  /** In executor_globals: the frame that runs. */
  readonly currentFrame: number;
  /** In zend_execute_data: the frame of the caller. */
  readonly caller: number;
  /** In zend_op_array: the file; line_start and line_end stand behind it. */
  readonly filename: number;
}

/** The same in every version of the table. */
export const FRAME = { bytes: 64, opline: 0, function: 24 } as const;
export const FUNCTION = { type: 0, name: 8, scope: 16 } as const;
/** Of `type`. */
export const INTERNAL = 1;
export const USER = 2;
export const EVAL = 4;
export const OPLINE = { bytes: 32, extended: 20, line: 24, code: 28 } as const;
export const CLASS = { name: 8 } as const;
export const STRING = { length: 16, text: 24 } as const;

const ROWS: Readonly<Record<string, PhpLayout>> = {
  "7.0": { currentFrame: 480, caller: 56, filename: 120 },
  "7.1": { currentFrame: 480, caller: 48, filename: 120 },
  "7.2": { currentFrame: 480, caller: 48, filename: 120 },
  "7.3": { currentFrame: 488, caller: 48, filename: 128 },
  "7.4": { currentFrame: 488, caller: 48, filename: 136 },
  "8.0": { currentFrame: 488, caller: 48, filename: 144 },
  "8.1": { currentFrame: 488, caller: 48, filename: 144 },
  "8.2": { currentFrame: 488, caller: 48, filename: 152 },
  "8.3": { currentFrame: 488, caller: 48, filename: 144 },
  "8.4": { currentFrame: 488, caller: 48, filename: 168 },
  "8.5": { currentFrame: 512, caller: 48, filename: 168 },
};

/** null: a version that is not known. */
export function phpLayout(version: string): PhpLayout | null {
  const minor = /^\d+\.\d+/.exec(version)?.[0] ?? "";
  return Object.hasOwn(ROWS, minor) ? ROWS[minor]! : null;
}
