// What the log must be told. The config's model takes these types over as they are.

import type { LogLevel } from "../event.ts";

export type { LogLevel };

export interface LogConfig {
  /** Absolute path, or null for stderr. */
  readonly file: string | null;
  readonly level: LogLevel;
  readonly format: "text" | "json";
}
