// Reads the entries of one section through its rows: parses, fills in defaults, notes where each
// value came from, and names what is wrong.

import type { Entry } from "./draft.ts";
import type { ConfigFormat } from "./model.ts";
import { nearest } from "./nearest.ts";
import { originText, type Problems, type Where } from "./problems.ts";
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
}

export interface SectionOutput<S extends Rows> {
  /** Only to be trusted where `failed` has not the name. */
  readonly values: Values<S>;
  readonly failed: ReadonlySet<string>;
  /** Where the setting is written; the section where it is not. */
  place(name: string): Where;
  given(name: string): boolean;
}

export function readSection<S extends Rows>(rows: S, input: SectionInput): SectionOutput<S> {
  const failed = new Set<string>();
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(rows)) {
    const entries = input.entries.filter((entry) => entry.name === name);
    values[name] = readSetting(input, name, row, entries, failed);
  }
  for (const entry of input.entries)
    if (!Object.hasOwn(rows, entry.name)) unknown(input, rows, entry);
  const last = (name: string) => input.entries.findLast((e) => e.name === name && !e.replaced);
  return {
    values: values as Values<S>,
    failed,
    place: (name) => last(name)?.where ?? input.where,
    given: (name) => last(name) !== undefined,
  };
}

function readSetting(
  input: SectionInput,
  name: string,
  row: Setting<never, unknown>,
  entries: readonly Entry[],
  failed: Set<string>,
): unknown {
  let value = defaultFor(row, input.format);
  input.origins.set(`${input.prefix}.${name}`, "default");
  for (const entry of entries) {
    const parsed = entry.problem ?? row.type.parse(entry.raw, entry.base);
    if ("ok" in parsed) {
      if (entry.replaced) continue;
      value = parsed.ok;
      input.origins.set(`${input.prefix}.${name}`, originText(entry.where));
    } else {
      failed.add(name);
      const shown = name.endsWith(".address") && entry.name !== entry.label ? "listen" : name;
      const example = `for example: ${exampleText(row, shown, input.format)}`;
      // An option is both the name and the place: said once is enough.
      const named = entry.label === entry.where ? "" : `${entry.label}: `;
      input.problems.error(`${named}${parsed.problem}`, entry.where, parsed.hint ?? example);
    }
  }
  if (value === REQUIRED && !failed.has(name)) {
    failed.add(name);
    missing(input, name, row);
  }
  return value;
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

function unknown(input: SectionInput, rows: Rows, entry: Entry): void {
  input.problems.error(
    `unknown setting "${entry.label}"`,
    entry.where,
    unknownHint(rows, entry.name),
  );
}

/** Which known setting was meant, by another program's name for it or by a slip of the pen. */
export function unknownHint(rows: Rows, name: string): string {
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
