// Turns the values of one legacy pool into entries of the settings table, with what the original did
// when something was missing (legacy FACTS 1.3).

import type { Entry } from "../draft.ts";
import { chdirAfterChroot, impliedEntry } from "../php-fpm/implied.ts";
import {
  environmentOf,
  hasSlowlog,
  isUnix,
  isZeroLimit,
  meansNothing,
  type PoolWording,
} from "../php-fpm/pool-rules.ts";
import { LEGACY_NAMES } from "./names.ts";
import type { LegacyReading, LegacyValue } from "./section.ts";
import { legacyRaw } from "./values.ts";
import type { Where } from "../problems.ts";

export const LEGACY_WORDING: PoolWording = {
  variable: (name) => `environment: ${name}`,
  countSettings: "max_children and max_requests",
  references: ": write out the rest",
  zeroLimit: (label) => `${label} 0 leaves the limit alone, as it always did`,
  zeroLimitHint: (name) =>
    name === "rlimit_core" ? "in TOML, rlimit_core = 0 keeps workers from dumping core" : undefined,
  slowlogHint: 'add <value name="slowlog">logs/slow.log</value>, or request_slowlog_timeout 0s',
};

export function legacyEntry(value: LegacyValue, prefix: string): Entry {
  const { form, setting } = LEGACY_NAMES.get(value.path)!;
  const label = value.path.split("/").slice(1).join("/");
  const raw = value.pairs === null ? legacyRaw(form, value.text) : { ok: pairsRaw(value.pairs) };
  return {
    name: setting?.name ?? label,
    label,
    where: value.where,
    base: prefix,
    replaced: value.replaced,
    ...("ok" in raw ? { raw: raw.ok } : { raw: value.text, problem: raw }),
  };
}

function pairsRaw(pairs: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs);
}

/** The last value of that path that counts. */
export function lastOf(values: readonly LegacyValue[], path: string): LegacyValue | undefined {
  return values.findLast((value) => value.path === path && !value.replaced);
}

/** Reports what is special to a pool, and returns its entries. */
export function poolEntries(
  reading: LegacyReading,
  name: string,
  where: Where,
  values: readonly LegacyValue[],
  prefix: string,
): Entry[] {
  const last = (path: string) => lastOf(values, path);
  checkManager(reading, name, where, last);
  checkSlowlog(reading, name, last);
  const unix = isUnix(last("pool/listen_address")?.text ?? "");
  // The shipped file has a mode and allowed clients for every pool, whatever its address.
  const kept = values.filter(
    ({ path }) =>
      path !== "pool/name" && !meansNothing(LEGACY_NAMES.get(path)?.setting?.name, unix),
  );
  const entries = kept
    .map((value) => (value.path === "pool/environment" ? environment(reading, value) : value))
    .map((value) => legacyEntry(value, prefix))
    .filter((entry) => keep(reading, entry));
  if (unix && last("pool/listen_options/mode") === undefined) {
    entries.push(impliedEntry("listen.mode", "0666", prefix));
  }
  const [chroot, chdir] = [last("pool/chroot")?.text, last("pool/chdir")?.text];
  entries.push(...chdirAfterChroot({ chroot, chdir }, prefix));
  return entries.map(absoluteOnly).map(nameOnly);
}

/** Drops what has no setting, after its text is checked, and the zeros that meant "leave alone". */
function keep(reading: LegacyReading, entry: Entry): boolean {
  const known = LEGACY_NAMES.get(`pool/${entry.label}`);
  if (known?.setting === null) {
    if (entry.problem) {
      reading.problems.error(
        `${entry.label}: ${entry.problem.problem}`,
        entry.where,
        entry.problem.hint,
      );
    }
    return false;
  }
  return !isZeroLimit(entry, reading);
}

// Relative to what? The original took them as they were, from wherever it was started.
function absoluteOnly(entry: Entry): Entry {
  const path = entry.name === "chroot" || entry.name === "chdir" ? entry.raw : "/";
  if (typeof path !== "string" || path.trim().startsWith("/")) return entry;
  const problem = `"${path}" is not an absolute path`;
  return { ...entry, problem: { problem, hint: `write the whole path, such as /${path}` } };
}

// The original looked the text up as a name, whatever it was.
function nameOnly(entry: Entry): Entry {
  if (entry.name !== "listen.owner" && entry.name !== "listen.group") return entry;
  if (typeof entry.raw !== "string" || !/^\d+$/.test(entry.raw)) return entry;
  const problem = `php-fpm takes a name here, and no number (${entry.raw})`;
  return { ...entry, problem: { problem, hint: "write the name, such as www-data" } };
}

type Last = (path: string) => LegacyValue | undefined;

function checkManager(reading: LegacyReading, name: string, where: Where, last: Last): void {
  const children = last("pool/pm/max_children");
  const style = last("pool/pm/style");
  if (children === undefined) {
    reading.problems.error(
      `pool ${name}: max_children is missing: php-fpm crashed or ran with no workers`,
      style?.where ?? where,
      'for example: <value name="pm"><value name="style">static</value><value name="max_children">5</value></value>',
    );
  }
  if (style === undefined || style.text === "static") return;
  if (style.text !== "apache-like") {
    const what = `pm/style: expected static or apache-like, but this is "${style.text}"`;
    return reading.problems.error(
      what,
      style.where,
      'for example: <value name="style">static</value>',
    );
  }
  reading.problems.warn(
    `pool ${name}: apache-like runs max_children workers at all times, as it always did`,
    style.where,
    '<value name="style">static</value> says the same; "fcgivisor convert" offers the pool that was meant',
  );
}

function checkSlowlog(reading: LegacyReading, name: string, last: Last): void {
  const timeout = last("pool/request_slowlog_timeout");
  if (timeout === undefined || /^\s*0+[smhd]$/.test(timeout.text)) return;
  hasSlowlog(name, timeout.where, last("pool/slowlog"), reading);
}

function environment(reading: LegacyReading, { where, ...value }: LegacyValue): LegacyValue {
  const variables = [...(value.pairs ?? [])].map(([name, text]) => ({ name, value: text, where }));
  return { ...value, where, pairs: environmentOf(variables, reading) };
}
