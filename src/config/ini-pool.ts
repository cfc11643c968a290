// One pool of a php-fpm INI file as entries of the settings table, by php-fpm's rules: `$pool`, the
// pool's own prefix, arrays, and what it does when something is missing.

import { resolve } from "node:path";
import type { Entry } from "./draft.ts";
import { iniRaw } from "./ini-forms.ts";
import type { IniItem, IniReading, IniSection } from "./ini-files.ts";
import type { PhpOfFpm } from "./ini-php.ts";
import { iniEntries, iniEntry, iniValues, lastScalar, type IniValues } from "./ini-section.ts";
import { referencedName } from "./special-values.ts";

export interface IniPoolContext {
  readonly reading: IniReading;
  readonly php: PhpOfFpm;
  /** Entries that [global] gives to every pool. */
  readonly shared: readonly Entry[];
}

export function iniPoolEntries(
  context: IniPoolContext,
  section: IniSection,
  name: string,
): Entry[] {
  const { reading, php, shared } = context;
  const values = iniValues(reading, withPoolName(section));
  const base = resolve(reading.prefix, lastScalar(values, "prefix")?.value || ".");
  checkRequired(reading, values, section, name);
  checkSlowlog(reading, values, name);
  checkExtensions(reading, values, section, name);
  const own = iniEntries(values, "pool", base)
    .map((entry) => withPrefix(entry, base))
    .filter((entry) => applies(reading, entry, values))
    .map(inAnyCase);
  const env = environment(reading, values, php, base);
  const defines = phpDefines(reading, values, base);
  return [...shared, ...own, ...env, ...defines, ...madeUp(values, base)];
}

/** `$pool` is the pool's name, anywhere in a value. */
function withPoolName(section: IniSection): IniSection {
  const items = section.items.map((item) => ({
    ...item,
    value: item.value?.replaceAll("$pool", section.name ?? "") ?? null,
  }));
  return { ...section, items };
}

/** `$prefix` counts at the beginning only. */
function withPrefix(entry: Entry, base: string): Entry {
  if (typeof entry.raw !== "string" || !/^\$prefix(\/|$)/.test(entry.raw)) return entry;
  return { ...entry, raw: entry.raw.replace("$prefix", base) };
}

const IN_ANY_CASE = ["scaling"];

function inAnyCase(entry: Entry): Entry {
  if (!IN_ANY_CASE.includes(entry.name) || typeof entry.raw !== "string") return entry;
  return { ...entry, raw: entry.raw.toLowerCase() };
}

const SOCKET_ONLY = ["listen.owner", "listen.group", "listen.mode"];

/** Drops, with a word, what means nothing for the pool's kind of address, and zeros that mean "leave alone". */
function applies({ problems }: IniReading, entry: Entry, values: IniValues): boolean {
  const address = lastScalar(values, "listen")?.value ?? "";
  const unix = address !== "" && !address.includes(":") && !/^\d+$/.test(address);
  if (entry.name === "rlimit_core" || entry.name === "rlimit_files") {
    if (entry.raw !== 0) return true;
    problems.warn(`${entry.label} = 0 leaves the limit alone, as in php-fpm`, entry.where);
    return false;
  }
  if (SOCKET_ONLY.includes(entry.name) && !unix && entry.problem === undefined) {
    problems.warn(`${entry.label} means nothing for a TCP address`, entry.where, "remove it");
    return false;
  }
  if (entry.name === "listen.address" && entry.replaced !== true && /^\d+$/.test(address)) {
    problems.warn(
      `${entry.label} = ${address} listens on all IPv4 addresses (php-fpm: on IPv6 too)`,
      entry.where,
      `write 127.0.0.1:${address} if only this machine asks, or [::]:${address} for IPv6`,
    );
  }
  if (entry.name === "allowed_clients" && unix) {
    const hint = "remove it: listen.owner, listen.group and listen.mode say who may connect";
    problems.warn(`${entry.label} means nothing for a Unix socket`, entry.where, hint);
    return false;
  }
  return true;
}

function checkRequired(
  { problems }: IniReading,
  values: IniValues,
  section: IniSection,
  name: string,
): void {
  const missing = (setting: string, example: string) => {
    if (lastScalar(values, setting) !== undefined) return;
    const hint = `for example: ${setting} = ${example}`;
    problems.error(`pool ${name}: "${setting}" is missing`, section.where, hint);
  };
  missing("pm", "static");
  missing("pm.max_children", "5");
  if (lastScalar(values, "pm")?.value.toLowerCase() !== "dynamic") return;
  missing("pm.min_spare_servers", "1");
  missing("pm.max_spare_servers", "3");
}

function checkSlowlog({ problems }: IniReading, values: IniValues, name: string): void {
  const timeout = lastScalar(values, "request_slowlog_timeout");
  if (timeout === undefined || !/[1-9]/.test(timeout.value)) return;
  if (lastScalar(values, "slowlog") !== undefined) return;
  problems.error(
    `pool ${name}: request_slowlog_timeout needs slowlog`,
    timeout.item.where,
    "remove it: there is no slow log here",
  );
}

// On by default in php-fpm, so its absence matters even where nobody wrote it.
function checkExtensions(
  { problems }: IniReading,
  values: IniValues,
  section: IniSection,
  name: string,
): void {
  if (lastScalar(values, "security.limit_extensions") !== undefined) return;
  problems.warn(
    `pool ${name}: security.limit_extensions (.php .phar unless set) is not enforced: php-cgi runs whatever script the web server names`,
    section.where,
    "let the web server pass on existing .php files only (nginx: try_files $fastcgi_script_name =404;)",
  );
}

function environment(reading: IniReading, values: IniValues, php: PhpOfFpm, base: string): Entry[] {
  const pairs: Record<string, string> = {};
  if (php.scanDir !== null) pairs["PHP_INI_SCAN_DIR"] = php.scanDir;
  const items = firstOfEach(reading, values.arrays.get("env") ?? []);
  for (const item of items) {
    const text = item.value ?? "";
    if (text === "") {
      const hint = `remove it, or write env[${item.key}] = ""`;
      reading.problems.error(`env[${item.key}] has no value`, item.where, hint);
    } else if (item.key!.startsWith("PHP_FCGI_")) {
      const what = `env[${item.key}] is dropped: php-fpm ignored it, but php-cgi would obey it`;
      reading.problems.warn(what, item.where, "pm.max_children and pm.max_requests say the same");
    } else pairs[item.key!] = variable(reading, item, text);
  }
  if (Object.keys(pairs).length === 0) return [];
  const where = items[0]?.where ?? "default";
  return [{ name: "env", label: "env", raw: pairs, where, base }];
}

// `$` counted as the first character only, and all behind it was the variable's name.
function variable({ problems }: IniReading, item: IniItem, text: string): string {
  if (!text.startsWith("$") || referencedName(text) !== null) return text;
  problems.warn(
    `env[${item.key}] is empty: "${text}" asks for a variable named "${text.slice(1)}"`,
    item.where,
    `only a value that is $NAME as a whole stands for a variable; \${NAME} can stand anywhere`,
  );
  return "";
}

const PHP_ARRAYS = ["php_value", "php_flag", "php_admin_value", "php_admin_flag"];

/** The admin ones win; php-fpm applies them last. */
function phpDefines(reading: IniReading, values: IniValues, base: string): Entry[] {
  const plain = firstOfEach(reading, itemsOf(values, ["php_value", "php_flag"]));
  const admin = firstOfEach(reading, itemsOf(values, ["php_admin_value", "php_admin_flag"]));
  const pairs: Record<string, string> = {};
  for (const item of [...plain, ...admin]) pairs[item.key!] = phpText(reading, item, base);
  if (Object.keys(pairs).length === 0) return [];
  const where = (plain[0] ?? admin[0])!.where;
  return [{ name: "php.defines", label: PHP_ARRAYS[0]!, raw: pairs, where, base }];
}

function itemsOf(values: IniValues, names: readonly string[]): IniItem[] {
  return names.flatMap((name) => values.arrays.get(name) ?? []);
}

/** php-fpm takes these as paths relative to the prefix. */
const PHP_PATHS = ["error_log", "extension_dir", "mime_magic.magicfile"];

function phpText({ problems }: IniReading, item: IniItem, base: string): string {
  const text = item.value ?? "";
  if (item.name.toLowerCase().endsWith("flag")) {
    const flag = iniRaw("boolean", text);
    if ("ok" in flag) return flag.ok === true ? "1" : "0";
    problems.error(`${item.name}[${item.key}]: ${flag.problem}`, item.where, flag.hint);
    return "";
  }
  const path = PHP_PATHS.includes(item.key!) && text !== "" && text !== "syslog";
  return path && !text.startsWith("/") ? resolve(base, text) : text;
}

function firstOfEach({ problems }: IniReading, items: readonly IniItem[]): IniItem[] {
  const kept = new Map<string, IniItem>();
  for (const item of items) {
    const first = kept.get(item.key!);
    if (first === undefined) kept.set(item.key!, item);
    else {
      const what = `${item.name}[${item.key}] is given already, and the first one counts, as in php-fpm`;
      problems.warn(what, item.where, "remove one of them");
    }
  }
  return [...kept.values()];
}

/** What php-fpm does without being told. */
function madeUp(values: IniValues, base: string): Entry[] {
  const made = (name: string, raw: unknown): Entry => ({
    name,
    label: name,
    raw,
    where: "default",
    base,
  });
  const entries: Entry[] = [];
  if (lastScalar(values, "chroot")?.value && !lastScalar(values, "chdir")?.value) {
    entries.push(made("chdir", "/"));
  }
  const least = number(values, "pm.min_spare_servers");
  const most = number(values, "pm.max_spare_servers");
  const dynamic = lastScalar(values, "pm")?.value.toLowerCase() === "dynamic";
  if (dynamic && lastScalar(values, "pm.start_servers") === undefined && least > 0 && most >= least)
    entries.push(made("start_workers", least + Math.floor((most - least) / 2)));
  return entries;
}

function number(values: IniValues, name: string): number {
  const scalar = lastScalar(values, name);
  const raw = scalar === undefined ? 0 : iniEntry(scalar, "/", false).raw;
  return typeof raw === "number" ? raw : 0;
}
