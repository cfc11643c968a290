// Any config as TOML for `convert`: only what differs from the defaults, each with where it came
// from, so that people can go on from there.

import type { Loaded } from "./finish.ts";
import { renderConfig, type RenderedSetting } from "./render.ts";

/** TOML text that resolves to the same config, but for its source and the legacy `daemonize`. */
export function convertConfig(loaded: Loaded): string {
  const { source } = loaded.config;
  const format = source.format;
  const body = renderConfig(loaded, (setting) => line(setting, format === "legacy-xml"));
  return `# Converted by fcgivisor from ${source.file ?? "the command line"} (${format}).\n${body}\n`;
}

/** Their defaults depend on who starts the supervisor, so they are written only when given. */
const PLACES = ["state_dir", "socket"];

function line({ name, value, byDefault, origin }: RenderedSetting, legacy: boolean): string | null {
  if (value === null || value === byDefault) return null;
  if (PLACES.includes(name) && origin === "default") return null;
  const from = origin === "default" && legacy ? "the legacy default" : origin;
  return `${name} = ${value}  # ${from}`;
}
