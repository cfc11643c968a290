// Reads one TOML file into entries. The only door to smol-toml.

import { dirname } from "node:path";
import { parse, TomlError } from "smol-toml";
import { Fault, type Place } from "../../fault.ts";
import type { Entry, PoolDraft } from "../draft.ts";
import { utf8Text } from "../format.ts";
import { nearest } from "../nearest.ts";
import { LONGEST_SHOWN } from "../place.ts";
import { checkPoolCount } from "../rules/pool-count.ts";
import type { Problems } from "../problems.ts";
import { findPlaces, type FindPlace } from "./places.ts";
import { keyText } from "../settings/special-values.ts";
import { describe, quote } from "../settings/values.ts";

export type TomlSection = "supervisor" | "admin" | "log";

export interface TomlFile {
  readonly sections: Readonly<Record<TomlSection, readonly Entry[]>>;
  /** What [defaults] gives to every pool. */
  readonly defaults: readonly Entry[];
  readonly pools: readonly PoolDraft[];
}

interface Reading {
  readonly file: string;
  readonly find: FindPlace;
  readonly base: string;
  readonly problems: Problems;
}

type Table = Readonly<Record<string, unknown>>;

const TABLES = ["supervisor", "admin", "log", "defaults", "pools"];
/** Settings of a pool that are tables of further settings. */
const NESTED = ["listen", "php", "health", "reload"];

/** Throws a Fault when the text is no TOML; what is wrong with its content goes to `problems`. */
export function readToml(file: string, bytes: Uint8Array, problems: Problems): TomlFile {
  const text = utf8Text(file, bytes).replace(/^\ufeff/, "");
  const find = findPlaces(file, text);
  const root = parsed(file, text);
  const reading = { file, find, base: dirname(file), problems };
  for (const [name, raw] of Object.entries(root))
    if (!TABLES.includes(name)) strayTable(reading, name, raw);
  const section = (name: TomlSection) =>
    Object.entries(tableAt(reading, root, [name])).map(([key, raw]) =>
      entry(reading, [name, key], key, raw),
    );
  return {
    sections: { supervisor: section("supervisor"), admin: section("admin"), log: section("log") },
    defaults: poolEntries(reading, ["defaults"], tableAt(reading, root, ["defaults"])),
    pools: poolsOf(reading, root),
  };
}

function parsed(file: string, text: string): Table {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw syntaxFault(file, text, error);
  }
}

function syntaxFault(file: string, text: string, error: TomlError): Fault {
  const said = error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
  const { line, column } = error;
  const shown = text.split("\n")[line - 1]?.replace(/\r$/, "") ?? "";
  const short = shown.length <= LONGEST_SHOWN;
  const where: Place = { file, line, column, ...(short ? { text: shown } : {}) };
  return new Fault(`not valid TOML: ${said}`, {
    where,
    hint: syntaxHint(said, short ? shown : ""),
  });
}

function syntaxHint(said: string, line: string): string {
  const inner = /^\s*listen\s*\.\s*(\w+)\s*=\s*([^#]*?)\s*(#.*)?$/.exec(line);
  if (/redefine/.test(said) && inner)
    return `"listen" has a value already: write listen = { address = "...", ${inner[1]} = ${inner[2]} }`;
  if (/redefine|duplicate/i.test(said)) return "each table and each key can be written only once";
  if (/leading zero/.test(said)) return 'write an octal mode in quotes: mode = "0660"';
  if (/losslessly/.test(said)) return "this number is too large";
  const bare = /^\s*([\w.-]+)\s*=\s*([^"'[{\s][^#]*?)\s*(#.*)?$/.exec(line);
  if (bare) return `texts and durations stand in quotes: ${bare[1]} = ${quote(bare[2]!)}`;
  return 'a setting is written as name = "text", name = 12, name = true or name = ["a", "b"]';
}

function strayTable(reading: Reading, name: string, raw: unknown): void {
  const hint = () => strayHint(name, raw);
  reading.problems.error(`unknown table or setting "${name}"`, reading.find([name]), hint);
}

function strayHint(name: string, raw: unknown): string {
  // Whoever names a table as php-fpm names a pool says what a pool has.
  const isPool = isTable(raw) && ["listen", "command"].some((key) => Object.hasOwn(raw, key));
  if (isPool) return `a pool is written [pools.${keyText(name)}]`;
  const near = nearest(name, TABLES);
  return near === null
    ? "a config has the tables [supervisor], [admin], [log], [defaults] and [pools.NAME]"
    : `did you mean "${near}"?`;
}

function tableAt(reading: Reading, parent: Table, path: readonly string[]): Table {
  const found = parent[path.at(-1)!];
  if (found === undefined) return {};
  if (isTable(found)) return found;
  const label = path.join(".");
  const hint = label === "pools" ? "for example: [pools.www]" : `for example: [${label}]`;
  reading.problems.error(
    `${label}: expected a table, but this is ${describe(found)}`,
    reading.find(path),
    hint,
  );
  return {};
}

function isTable(raw: unknown): raw is Table {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}

function entry(reading: Reading, path: readonly string[], name: string, raw: unknown): Entry {
  const where = reading.find(path);
  const placeOf = (key: string) => reading.find([...path, key]);
  const inner = isTable(raw) ? { placeOf } : {};
  return { name, label: path.join("."), raw, where, base: reading.base, ...inner };
}

function poolsOf(reading: Reading, root: Table): PoolDraft[] {
  const pools = tableAt(reading, root, ["pools"]);
  checkPoolCount(Object.keys(pools).length, reading.file);
  return Object.keys(pools).map((name) => ({
    name,
    where: reading.find(["pools", name]),
    entries: poolEntries(reading, ["pools", name], tableAt(reading, pools, ["pools", name])),
  }));
}

function poolEntries(reading: Reading, at: readonly string[], table: Table): Entry[] {
  return Object.entries(table).flatMap(([key, raw]) => {
    const path = [...at, key];
    if (!NESTED.includes(key)) return [entry(reading, path, key, raw)];
    if (key === "listen" && !isTable(raw)) return [entry(reading, path, "listen.address", raw)];
    const nested = tableAt(reading, { [key]: raw }, path);
    return Object.entries(nested).map(([inner, value]) =>
      entry(reading, [...path, inner], `${key}.${inner}`, value),
    );
  });
}
