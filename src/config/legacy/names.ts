// The names of a legacy file: which there are, and which setting of the table each one is. Most of it
// is read off the table; only what has no setting of its own is listed here.

import type { Rows } from "../settings/setting.ts";
import { LOG, POOL, SUPERVISOR } from "../settings/settings.ts";
import type { TextForm } from "../settings/values.ts";

export type LegacySection = "supervisor" | "log" | "pool";

export interface LegacyName {
  readonly form: TextForm;
  /** Null: known, but no setting of its own. */
  readonly setting: { readonly section: LegacySection; readonly name: string } | null;
}

const ALONE: Readonly<Record<string, TextForm>> = {
  "global_options/daemonize": "boolean",
  "pool/name": "text",
  "pool/pm/style": "text",
  "pool/pm/apache_like/StartServers": "integer",
  "pool/pm/apache_like/MinSpareServers": "integer",
  "pool/pm/apache_like/MaxSpareServers": "integer",
};

/** "pool/pm/max_children" to what it is. */
export const LEGACY_NAMES: ReadonlyMap<string, LegacyName> = new Map<string, LegacyName>([
  ...named("supervisor", SUPERVISOR),
  ...named("log", LOG),
  ...named("pool", POOL),
  ...Object.entries(ALONE).map(([path, form]) => [path, { form, setting: null }] as const),
]);

function named(section: LegacySection, rows: Rows) {
  return Object.entries(rows).flatMap(([name, row]) =>
    row.legacy === undefined
      ? []
      : [[row.legacy, { form: row.type.form, setting: { section, name } }] as const],
  );
}

/** Values that hold further values, such as `pool/pm`. */
export function isGroup(path: string): boolean {
  return knownIn(path).length > 0;
}

/** The names that may stand in this section or group. */
export function knownIn(path: string): string[] {
  const inside = [...LEGACY_NAMES.keys()].filter((known) => known.startsWith(`${path}/`));
  return [...new Set(inside.map((known) => known.slice(path.length + 1).split("/")[0]!))];
}
