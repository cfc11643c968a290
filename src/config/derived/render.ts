// Writes a Config as TOML, made from the settings table; `dump` and `convert` choose what of it.

import { valueText } from "./diff.ts";
import type { Loaded } from "../finish.ts";
import type { PoolConfig } from "../model.ts";
import { REQUIRED, type Rows, type Setting } from "../settings/setting.ts";
import { ADMIN, LOG, POOL, SUPERVISOR } from "../settings/settings.ts";
import { keyText } from "../settings/special-values.ts";

/** A line for a setting, or null to leave it out. */
export type LineOf = (setting: RenderedSetting) => string | null;

/** Further lines behind the settings of that pool. */
export type NotesOf = (pool: string) => readonly string[];

export interface RenderedSetting {
  readonly name: string;
  /** As TOML; null = not set. */
  readonly value: string | null;
  /** The value that TOML has when nothing is said, as TOML. */
  readonly byDefault: string | null;
  /** "FILE:LINE" or "default". */
  readonly origin: string;
}

/** Text for a comment: a path may hold a line end, which would end the comment too. */
export function commentText(text: string): string {
  return text.replaceAll(/[\x00-\x1f\x7f]/g, "?");
}

export function renderConfig(loaded: Loaded, lineOf: LineOf, notesOf?: NotesOf): string {
  const pools = loaded.config.pools.flatMap((pool) => poolLines(loaded, pool, lineOf, notesOf));
  return [...supervisorLines(loaded, lineOf), ...pools].join("\n");
}

/** All but the pools. `first`: lines at the beginning of [supervisor]. */
export function supervisorLines(
  { config, origins }: Loaded,
  lineOf: LineOf,
  first: readonly string[] = [],
): string[] {
  const section = <From>(prefix: string, rows: Rows, from: From, more: readonly string[] = []) => {
    const own = settingsOf(prefix, rows, from, origins).map(lineOf);
    const lines = [...more, ...own.filter((line) => line !== null)];
    return lines.length === 0 ? [] : ["", `[${prefix}]`, ...lines];
  };
  return [
    ...section("supervisor", SUPERVISOR, config.supervisor, first),
    ...section("admin", ADMIN, config.admin),
    ...section("log", LOG, config.log),
  ];
}

export function poolLines(
  { origins }: Loaded,
  pool: PoolConfig,
  lineOf: LineOf,
  notesOf?: NotesOf,
): string[] {
  const lines = settingsOf(`pools.${pool.name}`, POOL, pool, origins).map(lineOf);
  const written = lines.filter((line) => line !== null);
  return ["", `[pools.${keyText(pool.name)}]`, ...written, ...(notesOf?.(pool.name) ?? [])];
}

function settingsOf<From>(
  prefix: string,
  rows: Rows,
  from: From,
  origins: ReadonlyMap<string, string>,
): RenderedSetting[] {
  return Object.entries(rows as Readonly<Record<string, Setting<From, unknown>>>)
    .filter(([name]) => name !== "include") // its pools are written out
    .map(([name, row]) => ({
      name,
      value: valueText(row, from),
      byDefault: defaultText(row),
      origin: commentText(origins.get(`${prefix}.${name}`) ?? "default"),
    }));
}

function defaultText<From>(row: Setting<From, unknown>): string | null {
  return row.default === REQUIRED || row.default === null ? null : row.type.print(row.default);
}
