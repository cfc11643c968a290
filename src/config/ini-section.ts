// Turns the settings of one INI section into entries of the settings table, and says of each other
// one what becomes of it. Of two scalars the last counts, of two `env[NAME]` the first (php-fpm 8.2
// applies them from the last to the first, so that the first is what workers see).

import type { Entry } from "./draft.ts";
import { iniRaw } from "./ini-forms.ts";
import { labelOf, type IniItem, type IniReading, type IniSection } from "./ini-files.ts";
import type { Unlike } from "./ini-unlike.ts";
import { INI_NAMES, iniNamesIn, type IniName } from "./ini-names.ts";
import { nearest } from "./nearest.ts";

export interface IniValues {
  /** Every known scalar, replaced ones included. */
  readonly scalars: readonly IniScalar[];
  /** "env", "php_value" … to their items. */
  readonly arrays: ReadonlyMap<string, readonly IniItem[]>;
}

export interface IniScalar {
  /** "pm.max_children", in the case of the table. */
  readonly name: string;
  readonly known: IniName;
  readonly item: IniItem;
  readonly value: string;
}

/** Reads a section, and reports unknown names and what fcgivisor does not do. */
export function iniValues(reading: IniReading, section: IniSection): IniValues {
  const kind = section.name === null ? "global" : "pool";
  const scalars: IniScalar[] = [];
  const arrays = new Map<string, IniItem[]>();
  for (const item of section.items) {
    if (reading.problems.full) break;
    const name = item.name.toLowerCase();
    const known = INI_NAMES.get(`${kind}/${name}`);
    if (known === undefined) unknown(reading, item, kind);
    else if (known.array !== (item.key !== null)) wrongShape(reading, item, known);
    else if (item.key === "" && known.unlike?.bareKey !== true) emptyKey(reading, item);
    else if (item.value !== null) {
      if (known.array) arrays.set(name, [...(arrays.get(name) ?? []), item]);
      else scalars.push({ name, known, item, value: item.value });
      tellUnlike(reading, item, known);
    }
  }
  return { scalars, arrays };
}

/** The last value of that name; undefined when there is none. */
export function lastScalar(values: IniValues, name: string): IniScalar | undefined {
  return values.scalars.findLast((scalar) => scalar.name === name);
}

/** Entries of the scalars that are settings of that section of the table. */
export function iniEntries(
  values: IniValues,
  section: "supervisor" | "log" | "pool",
  base: string,
): Entry[] {
  return values.scalars
    .filter(({ known }) => known.setting?.section === section)
    .filter((scalar) => !isUnset(scalar))
    .map((scalar) => iniEntry(scalar, base, lastScalar(values, scalar.name) !== scalar));
}

// A text that is empty is as good as not given; of two the last decides that.
function isUnset({ known, value }: IniScalar): boolean {
  const raw = iniRaw(known.form, value);
  return "ok" in raw && raw.ok === undefined;
}

export function iniEntry(scalar: IniScalar, base: string, replaced: boolean): Entry {
  const { name, known, item, value } = scalar;
  const raw = iniRaw(known.form, value);
  return {
    name: known.setting?.name ?? name,
    label: item.name,
    where: item.where,
    base,
    replaced,
    ...("ok" in raw ? { raw: raw.ok } : { raw: value, problem: raw }),
  };
}

function tellUnlike({ problems }: IniReading, item: IniItem, { unlike, form }: IniName): void {
  if (unlike === null || item.value === null) return;
  const label = labelOf(item);
  const raw = iniRaw(form, item.value);
  if ("problem" in raw) problems.error(`${label}: ${raw.problem}`, item.where, raw.hint);
  else if (unlike.why !== null && raw.ok !== undefined && !isHarmless(unlike, raw.ok))
    problems.warn(`${label} ${unlike.why}`, item.where, unlike.instead);
}

function isHarmless({ harmless = [] }: Unlike, raw: unknown): boolean {
  return harmless.includes(typeof raw === "boolean" ? String(Number(raw)) : String(raw));
}

const KNOWN = {
  global: `known here: ${iniNamesIn("global").join(", ")}`,
  pool: `known here: ${iniNamesIn("pool").join(", ")}`,
};

function unknown({ problems }: IniReading, item: IniItem, kind: "global" | "pool"): void {
  const other = kind === "pool" ? "global" : "pool";
  const name = item.name.toLowerCase();
  if (INI_NAMES.has(`${other}/${name}`)) {
    const [what, hint] =
      kind === "pool"
        ? ["belongs into [global]", "move it to the section [global]"]
        : ["belongs into a pool", "move it behind the pool's line, such as [www]"];
    return problems.error(`"${item.name}" ${what}`, item.where, hint);
  }
  const near = nearest(name, iniNamesIn(kind)) ?? nearest(name, iniNamesIn(other));
  problems.error(
    `unknown setting "${item.name}"`,
    item.where,
    near === null ? KNOWN[kind] : `did you mean "${near}"?`,
  );
}

function wrongShape({ problems }: IniReading, item: IniItem, known: IniName): void {
  const [what, hint] = known.array
    ? ["needs a name in brackets", `for example: ${item.name}[NAME] = ${item.value ?? ""}`]
    : ["takes no brackets", `write ${item.name} = ${item.value ?? ""}`];
  problems.error(`"${item.name}" ${what}`, item.where, hint);
}

function emptyKey({ problems }: IniReading, item: IniItem): void {
  const hint = `for example: ${item.name}[NAME] = ${item.value ?? ""}`;
  problems.error(`"${item.name}[]" has no name in its brackets`, item.where, hint);
}
