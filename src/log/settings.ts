// What the log must be told. The config's model takes these types over as they are.

export type LogLevel = "debug" | "notice" | "warn" | "error" | "alert";

export interface LogConfig {
  /** Absolute path, or null for stderr. */
  readonly file: string | null;
  readonly level: LogLevel;
  readonly format: "text" | "json";
}
