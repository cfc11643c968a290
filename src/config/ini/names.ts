// The names of a php-fpm INI file: which there are, and which setting of the table each one is. Most
// of it is read off the table; the rest stands in differences.ts.

import type { Hint } from "../problems.ts";
import { nearest } from "../nearest.ts";
import type { IniValueLine } from "./lines.ts";
import { DIFFERENCES, type Difference } from "./differences.ts";
import type { Rows } from "../settings/setting.ts";
import { LOG, POOL, SUPERVISOR } from "../settings/settings.ts";
import type { TextForm } from "../settings/values.ts";

export interface IniName {
  readonly form: TextForm;
  /** Written with brackets: `env[PATH]`. */
  readonly array: boolean;
  readonly setting: {
    readonly section: "supervisor" | "log" | "pool";
    readonly name: string;
  } | null;
  readonly difference: Difference | null;
}

export type IniKind = "global" | "pool";

/** "pool/pm.max_children" to what it is. */
const PATHS: readonly (readonly [string, IniName])[] = [
  ...named("supervisor", SUPERVISOR),
  ...named("log", LOG),
  ...named("pool", POOL),
  ...Object.entries(DIFFERENCES).map(
    ([path, difference]) =>
      [
        path,
        { form: difference.form, array: difference.array === true, setting: null, difference },
      ] as const,
  ),
];

function named(section: "supervisor" | "log" | "pool", rows: Rows) {
  return Object.entries(rows).flatMap(([name, row]) => {
    if (row.fpm === undefined) return [];
    const form = row.type.form;
    const found: IniName = {
      form,
      array: form === "pairs",
      setting: { section, name },
      difference: null,
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

/** What the name of that line is in such a section, or what is wrong with it. */
export function iniNameOf(
  kind: IniKind,
  line: IniValueLine,
): IniName | { readonly problem: string; readonly hint: Hint } {
  const { name, key, value } = line;
  const known = INI_NAMES[kind].get(name.toLowerCase());
  if (known === undefined) return unknownName(kind, name);
  const example = `for example: ${name}[NAME] = ${value ?? ""}`;
  if (known.array && key === null)
    return { problem: `"${name}" needs a name in brackets`, hint: example };
  if (!known.array && key !== null)
    return { problem: `"${name}" takes no brackets`, hint: `write ${name} = ${value ?? ""}` };
  if (key === "" && known.difference?.bareKey !== true)
    return { problem: `"${name}[]" has no name in its brackets`, hint: example };
  return known;
}

function unknownName(kind: IniKind, written: string) {
  const name = written.toLowerCase();
  const other = kind === "pool" ? "global" : "pool";
  if (!INI_NAMES[other].has(name)) {
    return { problem: `unknown setting "${written}"`, hint: () => nearestName(name, kind, other) };
  }
  return kind === "pool"
    ? { problem: `"${written}" belongs into [global]`, hint: "move it to the section [global]" }
    : {
        problem: `"${written}" belongs into a pool`,
        hint: "move it behind the pool's line, such as [www]",
      };
}

function nearestName(name: string, kind: IniKind, other: IniKind): string {
  const known = [...INI_NAMES[kind].keys()];
  const near = nearest(name, known) ?? nearest(name, [...INI_NAMES[other].keys()]);
  return near === null ? `known here: ${known.join(", ")}` : `did you mean "${near}"?`;
}
