// The resolved config for `check --dump`: every setting with its value, and where that came from.

import type { Loaded } from "../finish.ts";
import { commentText, renderConfig } from "./render.ts";

/** TOML text that resolves to the same config. */
export function dumpConfig(loaded: Loaded): string {
  const { source } = loaded.config;
  const body = renderConfig(loaded, ({ name, value, origin }) =>
    value === null ? `# ${name} is not set` : `${name} = ${value}  # ${origin}`,
  );
  const { daemonize } = loaded.config.supervisor;
  const more = daemonize === null ? "" : `, daemonize ${daemonize ? "yes" : "no"}`;
  return `# ${commentText(source.file ?? "command line")} (${source.format}${more}), resolved\n${body}\n`;
}
