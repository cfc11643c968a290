// Any config as TOML for `convert`: only what differs from the defaults, each with where it came
// from, so that people can go on from there.

import type { Loaded } from "../finish.ts";
import type { ConfigFormat } from "../model.ts";
import { commentText, renderConfig, type RenderedSetting } from "./render.ts";

/** TOML text that resolves to the same config, but for its source and the legacy `daemonize`. */
export function convertConfig(loaded: Loaded): string {
  const { source } = loaded.config;
  const body = renderConfig(
    loaded,
    (setting) => convertedLine(setting, source.format),
    (pool) => noteLines(loaded, pool),
  );
  return `# Converted by fcgivisor from ${commentText(source.file ?? "the command line")} (${source.format}).\n${body}\n`;
}

/** Their defaults depend on who starts the supervisor, so they are written only when given. */
const PLACES = ["state_dir", "socket"];

/** What to call a value that the file does not say, and that TOML would take otherwise. */
const UNSAID: Readonly<Record<ConfigFormat, string>> = {
  toml: "default",
  "legacy-xml": "not in the file: what php-fpm 0.5 did then",
  "php-fpm-ini": "not in the file: what php-fpm does then",
  "command-line": "default",
};

/** What else there is to say of a pool, as comments. */
export function noteLines(loaded: Loaded, pool: string): string[] {
  return (loaded.notes?.get(pool) ?? []).map((note) => `# ${commentText(note)}`);
}

/** A setting as a conversion writes it; null: it goes without saying. */
export function convertedLine(setting: RenderedSetting, format: ConfigFormat): string | null {
  const { name, value, byDefault, origin } = setting;
  if (value === null || value === byDefault) return null;
  if (PLACES.includes(name) && origin === "default") return null;
  return `${name} = ${value}  # ${origin === "default" ? UNSAID[format] : origin}`;
}
