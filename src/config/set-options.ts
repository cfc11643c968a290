// Settings from outside the file, for containers and pipelines: `--set pools.www.workers=8`, or
// FCGIVISOR_SET_POOLS__WWW__WORKERS=8 in the environment. They replace what the file says, and are checked like it.

import type { Environment } from "./default-places.ts";
import type { Draft, Entry, PoolDraft } from "./draft.ts";
import { Fault } from "../fault.ts";
import { didYouMean } from "./nearest.ts";
import type { Rows } from "./settings/setting.ts";
import { ADMIN, LOG, POOL, SUPERVISOR } from "./settings/settings.ts";

/** One setting as somebody wrote it. */
export interface SetOption {
  /** "pools.www.workers", or, out of the environment, "POOLS__WWW__WORKERS". */
  readonly path: string;
  readonly value: string;
  /** What it was written as, for messages and origins: "--set pools.www.workers". */
  readonly origin: string;
  readonly from: "option" | "environment";
}

const PREFIX = "FCGIVISOR_SET_";
const SECTIONS = { supervisor: SUPERVISOR, admin: ADMIN, log: LOG } as const;
type Section = keyof typeof SECTIONS;

/** All that is set from outside; options come last, and so count more. Throws a usage Fault for a word without `=`. */
export function setOptions(words: readonly string[], env: Environment): SetOption[] {
  const variables = Object.entries(env).flatMap(([name, value = ""]): SetOption[] =>
    name.startsWith(PREFIX)
      ? [{ path: name.slice(PREFIX.length), value, origin: `$${name}`, from: "environment" }]
      : [],
  );
  return [...variables, ...words.map(optionOf)];
}

function optionOf(word: string): SetOption {
  const equals = word.indexOf("=");
  const [path, value] = [word.slice(0, equals).trim(), word.slice(equals + 1)];
  if (equals > 0) return { path, value, origin: `--set ${path}`, from: "option" };
  throw wrong("--set", `"${word}" is not of the form NAME=VALUE`);
}

/** `base`: what relative paths are relative to; `valueOf`: the value that a text is in TOML, undefined when it is none. */
export function withSet(
  draft: Draft,
  options: readonly SetOption[],
  base: string,
  valueOf: (text: string) => unknown,
): Draft {
  return options.reduce((before, option) => withOne(before, option, base, valueOf), draft);
}

function withOne(
  draft: Draft,
  option: SetOption,
  base: string,
  valueOf: (text: string) => unknown,
): Draft {
  const parts = partsOf(option);
  const [first = "", ...rest] = parts;
  const section = lower(option, first);
  if (section === "pools") {
    const { pool, setting } = poolOf(draft.pools, option, rest);
    const added = entryOf(POOL, pool.entries, option, setting, base, valueOf);
    const changed = { ...pool, entries: [...pool.entries, added] };
    return { ...draft, pools: draft.pools.map((one) => (one === pool ? changed : one)) };
  }
  if (!isSection(section) || rest.length === 0) {
    const names = [...Object.keys(SECTIONS), "pools"];
    throw wrong(option.origin, `there is no setting of that name${didYouMean(section, names)}`);
  }
  const entries = draft[section];
  const added = entryOf(SECTIONS[section], entries, option, rest, base, valueOf);
  return { ...draft, [section]: [...entries, added] };
}

function isSection(name: string): name is Section {
  return Object.hasOwn(SECTIONS, name);
}

function partsOf({ path, from }: SetOption): string[] {
  return path.split(from === "option" ? "." : "__");
}

/** Variables are written in capitals. */
function lower({ from }: SetOption, text: string): string {
  return from === "option" ? text : text.toLowerCase();
}

interface PoolSetting {
  readonly pool: PoolDraft;
  readonly setting: readonly string[];
}

/** The name of a pool may have dots in it; a variable cannot, nor a dash. */
function poolOf(
  pools: readonly PoolDraft[],
  option: SetOption,
  rest: readonly string[],
): PoolSetting {
  const called = ({ name }: PoolDraft) =>
    option.from === "option" ? name : name.toLowerCase().replaceAll(/[-.]/g, "_");
  for (let length = rest.length - 1; length > 0; length--) {
    const name = lower(option, rest.slice(0, length).join("."));
    const pool = pools.find((one) => called(one) === name);
    if (pool !== undefined) return { pool, setting: rest.slice(length) };
  }
  const name = lower(option, rest[0] ?? "");
  const close = didYouMean(name, pools.map(called));
  throw wrong(option.origin, `there is no pool "${name}"${close}`);
}

function entryOf(
  rows: Rows,
  before: readonly Entry[],
  option: SetOption,
  parts: readonly string[],
  base: string,
  valueOf: (text: string) => unknown,
): Entry {
  const { name, key } = settingOf(rows, option, parts);
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  const meant = valueOf(option.value);
  // `user=1000` is a text all the same, where a number is none.
  const isText =
    meant === undefined || (row !== undefined && "problem" in row.type.parse(meant, base));
  const value = isText ? option.value : meant;
  const raw = key === null ? value : { ...lastTable(before, name), [key]: option.value };
  return { name, label: option.origin, raw, where: option.origin, base };
}

interface Named {
  readonly name: string;
  /** Of a table of names and values: the one to set. */
  readonly key: string | null;
}

function settingOf(rows: Rows, option: SetOption, parts: readonly string[]): Named {
  const whole = lower(option, parts.join("."));
  const name =
    whole === "listen" && Object.hasOwn(rows, "listen.address") ? "listen.address" : whole;
  const table = lower(option, parts.slice(0, -1).join("."));
  const isPair = Object.hasOwn(rows, table) && rows[table]!.type.form === "pairs";
  return isPair ? { name: table, key: parts.at(-1)! } : { name, key: null };
}

function lastTable(before: readonly Entry[], name: string): object {
  const raw = before.findLast((entry) => entry.name === name)?.raw;
  if (raw instanceof Map) return Object.fromEntries(raw);
  return typeof raw === "object" && raw !== null ? raw : {};
}

function wrong(origin: string, message: string): Fault {
  return new Fault(message, {
    where: origin,
    hint: "for example: --set pools.www.workers=8, or FCGIVISOR_SET_POOLS__WWW__WORKERS=8",
    exitCode: 2,
  });
}
