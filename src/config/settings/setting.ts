// What one row of the settings table says. The reader, the dump, the conversion, the comparison of
// two configs and the manual are all made from these rows, and from nothing else.

import type { ConfigFormat } from "../model.ts";
import type { ValueType } from "./values.ts";

/** Stands for the default of a setting that must be given. */
export const REQUIRED = Symbol("required");

/** `From` is the part of the model that holds the value, `V` the value. */
export interface Setting<From, V> {
  readonly type: ValueType<V>;
  readonly default: V | typeof REQUIRED;
  /** What it is when a legacy file does not say it, where that differs. */
  readonly legacyDefault?: V;
  /** What it is when a php-fpm INI file does not say it, where that differs. */
  readonly fpmDefault?: V;
  /** One sentence for the manual, with the default where it is not plain to see. */
  readonly doc: string;
  /** As TOML. */
  readonly example: string;
  /** Path of the legacy name: "pool/pm/max_children". */
  readonly legacy?: string;
  /** Section and name in a php-fpm INI file: "pool/pm.max_children". */
  readonly fpm?: string;
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
  if (format === "php-fpm-ini") return fpmExample(row, name, plain);
  const legacyName = row.legacy?.split("/").at(-1) ?? name;
  return `<value name="${legacyName}">${plain}</value>`;
}

function fpmExample(row: Setting<never, unknown>, name: string, plain: string): string {
  if (name === "env") return "env[PATH] = /usr/bin:/bin";
  if (name === "php.defines") return "php_value[display_errors] = 0";
  if (name === "php.admin") return "php_admin_value[memory_limit] = 256M";
  return `${row.fpm?.split("/").at(-1) ?? name} = ${plain}`;
}

/** The default in a file of that format. */
export function defaultFor<V>(row: Setting<never, V>, format: ConfigFormat) {
  if (format === "legacy-xml" && row.legacyDefault !== undefined) return row.legacyDefault;
  if (format === "php-fpm-ini" && row.fpmDefault !== undefined) return row.fpmDefault;
  return row.default;
}

function plainExample(example: string): string {
  if (example === "true") return "yes";
  if (example === "false") return "no";
  return example.replaceAll(/["[\]]/g, "");
}
