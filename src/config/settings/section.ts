// Reads the entries of one section through its rows: parses, fills in defaults, notes where each
// value came from, and names what is wrong.

import type { Entry } from "../draft.ts";
import type { ConfigFormat } from "../model.ts";
import { nearest } from "../nearest.ts";
import type { Parsed } from "./values.ts";
import { originText, type Problems, type Where } from "../problems.ts";
import {
  defaultFor,
  exampleText,
  REQUIRED,
  type Rows,
  type Setting,
  type Values,
} from "./setting.ts";

export interface SectionInput {
  /** Path of the section in messages and origins: "log", "pools.www". */
  readonly prefix: string;
  readonly where: Where;
  readonly entries: readonly Entry[];
  readonly format: ConfigFormat;
  readonly problems: Problems;
  readonly origins: Map<string, string>;
  /** What became of entries that many sections share: read once, and what is wrong with them said once. */
  readonly shared: Map<Entry, Parsed<unknown>>;
}

export interface SectionOutput<S extends Rows> {
  /** Only to be trusted where `failed` has not the name. */
  readonly values: Values<S>;
  readonly failed: ReadonlySet<string>;
  /** Where the setting is written; the section where it is not. */
  /** `key`: of one name in a table, where that is known. */
  place(name: string, key?: string): Where;
  given(name: string): boolean;
}

export function readSection<S extends Rows>(rows: S, input: SectionInput): SectionOutput<S> {
  const failed = new Set<string>();
  const values: Record<string, unknown> = {};
  const { named, others } = byName(rows, input.entries);
  for (const name of Object.keys(rows))
    values[name] = readSetting(input, name, rows[name]!, named.get(name) ?? NONE, failed);
  for (const entry of others) unknownSetting(input.problems, rows, entry);
  const last = (name: string) => named.get(name)?.findLast((entry) => entry.replaced !== true);
  return {
    values: values as Values<S>,
    failed,
    place: (name, key) => {
      const entry = last(name);
      const inside = key === undefined ? undefined : entry?.placeOf?.(key);
      return inside ?? entry?.where ?? input.where;
    },
    given: (name) => last(name) !== undefined,
  };
}

const NONE: readonly Entry[] = [];

interface ByName {
  readonly named: ReadonlyMap<string, readonly Entry[]>;
  /** No setting is called so. */
  readonly others: readonly Entry[];
}

function byName(rows: Rows, entries: readonly Entry[]): ByName {
  const named = new Map<string, Entry[]>();
  const others: Entry[] = [];
  for (const entry of entries) {
    const known = named.get(entry.name);
    if (known !== undefined) known.push(entry);
    else if (Object.hasOwn(rows, entry.name)) named.set(entry.name, [entry]);
    else others.push(entry);
  }
  return { named, others };
}

function readSetting(
  input: SectionInput,
  name: string,
  row: Setting<never, unknown>,
  entries: readonly Entry[],
  failed: Set<string>,
): unknown {
  let value = defaultFor(row, input.format);
  for (const entry of entries) {
    const before = entry.shared === true ? input.shared.get(entry) : undefined;
    const parsed = before ?? entry.problem ?? row.type.parse(entry.raw, entry.base);
    if (entry.shared === true) input.shared.set(entry, parsed);
    if ("ok" in parsed) {
      if (entry.replaced) continue;
      value = parsed.ok;
      keepOrigins(input, `${input.prefix}.${name}`, row, entry, value);
    } else {
      failed.add(name);
      // What many pools share is said at the first.
      if (before === undefined) valueProblem(input.problems, input.format, row, entry, parsed);
    }
  }
  if (value === REQUIRED && !failed.has(name)) {
    failed.add(name);
    missing(input, name, row);
  }
  return value;
}

function keepOrigins(
  { origins }: SectionInput,
  path: string,
  { type }: Setting<never, unknown>,
  entry: Entry,
  value: unknown,
): void {
  origins.set(path, originText(entry.where));
  if (type.keepsPlaces !== true || !(value instanceof Map)) return;
  for (const key of value.keys())
    origins.set(`${path}.${key}`, originText(entry.placeOf?.(key) ?? entry.where));
}

/** Says what is wrong with the value of that row. */
export function valueProblem(
  problems: Problems,
  format: ConfigFormat,
  row: Setting<never, unknown>,
  entry: Entry,
  {
    problem,
    hint,
    key,
  }: { readonly problem: string; readonly hint?: string; readonly key?: string },
): void {
  const { name, label } = entry;
  const where = (key === undefined ? undefined : entry.placeOf?.(key)) ?? entry.where;
  const shown = name.endsWith(".address") && name !== label ? "listen" : name;
  // An option is both the name and the place: said once is enough.
  const named = label === where ? "" : `${label}: `;
  const example = () => `for example: ${exampleText(row, shown, format)}`;
  problems.error(`${named}${problem}`, where, hint ?? example);
}

function missing(input: SectionInput, name: string, row: Setting<never, unknown>): void {
  const shown = name === "listen.address" && input.format === "toml" ? "listen" : name;
  const called = nameIn(input.format, row) ?? shown;
  input.problems.error(
    `${input.prefix}: "${called}" is missing`,
    input.where,
    `for example: ${exampleText(row, shown, input.format)}`,
  );
}

function nameIn(format: ConfigFormat, row: Setting<never, unknown>): string | undefined {
  if (format === "legacy-xml") return row.legacy?.split("/").at(-1);
  return format === "php-fpm-ini" ? row.fpm?.split("/").at(-1) : undefined;
}

export function unknownSetting(problems: Problems, rows: Rows, entry: Entry): void {
  problems.error(`unknown setting "${entry.label}"`, entry.where, () =>
    unknownHint(rows, entry.name),
  );
}

/** Which known setting was meant, by another program's name for it or by a slip of the pen. */
function unknownHint(rows: Rows, name: string): string {
  const last = name.split(".").at(-1)!;
  const other = Object.entries(rows).find(([, row]) =>
    [row.legacy?.split("/").at(-1), ...(row.aliases ?? [])].some((a) => a === name || a === last),
  );
  if (other) return `it is called "${other[0]}" here: ${exampleText(other[1], other[0], "toml")}`;
  const near = nearest(name, namesBeside(rows, name));
  return near === null
    ? `known here: ${namesBeside(rows, name).join(", ")}`
    : `did you mean "${near}"?`;
}

// For "php.x" what there is in php; for "x" all, a nested table by its name alone.
function namesBeside(rows: Rows, name: string): string[] {
  const table = name.slice(0, name.lastIndexOf(".") + 1);
  const names = Object.keys(rows).filter((known) => known.startsWith(table));
  return table === "" ? [...new Set(names.map((known) => known.split(".")[0]!))] : names;
}
