// What one row of the settings table says. The reader, the dump, the conversion, the comparison of
// two configs and the manual are all made from these rows, and from nothing else.

import type { ConfigFormat } from "./model.ts";
import type { ValueType } from "./values.ts";

/** Stands for the default of a setting that must be given. */
export const REQUIRED = Symbol("required");

/** `From` is the part of the model that holds the value, `V` the value. */
export interface Setting<From, V> {
  readonly type: ValueType<V>;
  readonly default: V | typeof REQUIRED;
  /** What it is when a legacy file does not say it, where that differs. */
  readonly legacyDefault?: V;
  /** One sentence for the manual, with the default where it is not plain to see. */
  readonly doc: string;
  /** As TOML. */
  readonly example: string;
  /** Path of the legacy name: "pool/pm/max_children". */
  readonly legacy?: string;
  /** What other programs, php-fpm above all, call it. */
  readonly aliases?: readonly string[];
  get(from: From): V;
}

export type Rows = Readonly<Record<string, Setting<never, unknown>>>;

/** The values that a table of rows describes. */
export type Values<S extends Rows> = {
  readonly [K in keyof S]: S[K] extends Setting<never, infer V> ? V : never;
};

/** How the setting is written in a file of that format, as an example in a hint. */
export function exampleText(row: Setting<never, unknown>, name: string, format: ConfigFormat) {
  if (format === "toml") return `${name} = ${row.example}`;
  const plain = plainExample(row.example);
  if (format === "command-line") return `--${name.split(".")[0]} ${plain}`;
  const legacyName = row.legacy?.split("/").at(-1) ?? name;
  return `<value name="${legacyName}">${plain}</value>`;
}

function plainExample(example: string): string {
  if (example === "true") return "yes";
  if (example === "false") return "no";
  return example.replaceAll(/["[\]]/g, "");
}
