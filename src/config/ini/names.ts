// The names of a php-fpm INI file: which there are, and which setting of the table each one is. Most
// of it is read off the table; the rest stands in ini-unlike.ts.

import { UNLIKE, type Unlike } from "./unlike.ts";
import type { Rows } from "../settings/setting.ts";
import { LOG, POOL, SUPERVISOR } from "../settings/settings.ts";
import type { LegacyForm } from "../settings/values.ts";

export interface IniName {
  readonly form: LegacyForm;
  /** Written with brackets: `env[PATH]`. */
  readonly array: boolean;
  readonly setting: {
    readonly section: "supervisor" | "log" | "pool";
    readonly name: string;
  } | null;
  readonly unlike: Unlike | null;
}

export type IniKind = "global" | "pool";

/** "pool/pm.max_children" to what it is. */
const PATHS: readonly (readonly [string, IniName])[] = [
  ...named("supervisor", SUPERVISOR),
  ...named("log", LOG),
  ...named("pool", POOL),
  ...Object.entries(UNLIKE).map(
    ([path, unlike]) =>
      [path, { form: unlike.form, array: unlike.array === true, setting: null, unlike }] as const,
  ),
];

function named(section: "supervisor" | "log" | "pool", rows: Rows) {
  return Object.entries(rows).flatMap(([name, row]) => {
    if (row.fpm === undefined) return [];
    const form = row.type.legacy;
    const found: IniName = {
      form,
      array: form === "pairs",
      setting: { section, name },
      unlike: null,
    };
    return [[row.fpm, found] as const];
  });
}

/** The names that may stand in [global], and in a pool. */
export const INI_NAMES: Readonly<Record<IniKind, ReadonlyMap<string, IniName>>> = {
  global: namesIn("global"),
  pool: namesIn("pool"),
};

function namesIn(kind: IniKind): Map<string, IniName> {
  const inside = PATHS.filter(([path]) => path.startsWith(`${kind}/`));
  return new Map(inside.map(([path, name]) => [path.slice(kind.length + 1), name]));
}
