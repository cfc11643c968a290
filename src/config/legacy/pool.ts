// Turns the values of one legacy pool into entries of the settings table, with what the original did
// when something was missing (legacy FACTS 1.3).

import type { Entry } from "../draft.ts";
import { LEGACY_NAMES } from "./names.ts";
import type { LegacyReading, LegacyValue } from "./section.ts";
import { legacyRaw } from "./values.ts";
import type { Where } from "../problems.ts";
import { referencedName } from "../settings/special-values.ts";

/** Stands as the place of what no file says. */
export const BY_DEFAULT = "default";

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

export function madeUp(name: string, raw: unknown, base: string, where: Where = BY_DEFAULT): Entry {
  return { name, label: name, raw, where, base };
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
  const kept = values.filter((value) => value.path !== "pool/name" && applies(value, unix));
  const entries = kept
    .map((value) => (value.path === "pool/environment" ? environment(reading, value) : value))
    .map((value) => legacyEntry(value, prefix))
    .filter((entry) => keep(reading, entry));
  if (unix && last("pool/listen_options/mode") === undefined) {
    entries.push(madeUp("listen.mode", "0666", prefix));
  }
  if (last("pool/chroot") !== undefined && last("pool/chdir") === undefined) {
    entries.push(madeUp("chdir", "/", prefix)); // as the original: chdir("/") after the chroot
  }
  return entries.map(absoluteOnly).map(nameOnly);
}

function isUnix(address: string): boolean {
  return address !== "" && !address.includes(":") && !/^\d+$/.test(address);
}

// The shipped file has a mode and allowed clients for every pool, whatever its address.
const UNIX_ONLY = ["owner", "group", "mode"].map((name) => `pool/listen_options/${name}`);

function applies(value: LegacyValue, unix: boolean): boolean {
  return unix ? value.path !== "pool/allowed_clients" : !UNIX_ONLY.includes(value.path);
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
  if (entry.raw !== 0 || (entry.name !== "rlimit_core" && entry.name !== "rlimit_files"))
    return true;
  reading.problems.warn(
    `${entry.label} 0 leaves the limit alone, as it always did`,
    entry.where,
    entry.name === "rlimit_core"
      ? "in TOML, rlimit_core = 0 keeps workers from dumping core"
      : undefined,
  );
  return false;
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
  if (last("pool/slowlog") === undefined) {
    return reading.problems.error(
      `pool ${name}: request_slowlog_timeout needs slowlog`,
      timeout.where,
      'add <value name="slowlog">logs/slow.log</value>, or request_slowlog_timeout 0s',
    );
  }
  reading.problems.warn(
    `pool ${name}: request_slowlog_timeout is not acted on: there is no slow log yet`,
    timeout.where,
  );
}

function environment(reading: LegacyReading, value: LegacyValue): LegacyValue {
  const pairs = new Map<string, string>();
  for (const [name, text] of value.pairs ?? []) {
    if (name.startsWith("PHP_FCGI_")) {
      const what = `environment: ${name} is dropped: php-fpm ignored it, but php-cgi would obey it`;
      reading.problems.warn(what, value.where, "max_children and max_requests say the same");
    } else pairs.set(name, variable(reading, value.where, name, text));
  }
  return { ...value, pairs };
}

// `$` counted as the first character only, and all behind it was the variable's name.
function variable(reading: LegacyReading, where: Where, name: string, text: string): string {
  if (!text.startsWith("$") || referencedName(text) !== null) return text;
  reading.problems.warn(
    `environment: ${name} is empty: "${text}" asks for a variable named "${text.slice(1)}"`,
    where,
    "only a value that is $NAME as a whole stands for a variable: write out the rest",
  );
  return "";
}
