// The level of what PHP itself says, as it begins: `PHP Fatal error:  …`, `PHP Warning:  …`. Pure.

import type { LogLevel } from "../log/settings.ts";

const LEVELS: readonly (readonly [RegExp, LogLevel])[] = [
  [/^PHP (Fatal|Parse|Core|Compile|Recoverable fatal|Catchable fatal) error: /, "error"],
  [/^PHP ((Core|Compile|User) )?Warning: /, "warn"],
  [/^PHP (Notice|Deprecated|Strict Standards): /, "notice"],
];

/** null: it is nothing that PHP says. */
export function phpLevel(text: string): LogLevel | null {
  return LEVELS.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

/** Whether it is a further line of an error: the stack that PHP adds to an uncaught exception. */
export function continuesPhpMessage(text: string): boolean {
  return /^(Stack trace:$|#\d+ |  thrown in )/.test(text);
}
