// One pool of a php-fpm INI file as entries of the settings table, by php-fpm's rules: the pool's own
// prefix, arrays, and what it does when something is missing.

import { resolve } from "node:path";
import type { Entry } from "../draft.ts";
import { iniRaw } from "./forms.ts";
import { iniEntry } from "./entry.ts";
import type { PhpOfFpm } from "./php.ts";
import type { IniItem, IniReading, IniSection } from "./section.ts";
import { referencedName } from "../settings/special-values.ts";

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
  const base = resolve(reading.prefix, section.scalar("prefix")?.value || ".");
  checkRequired(reading, section, name);
  checkSlowlog(reading, section, name);
  checkExtensions(reading, section, name);
  const address = section.scalar("listen")?.value ?? "";
  const own = section.entries("pool", base).filter((entry) => applies(reading, entry, address));
  const env = environment(reading, section, php, base);
  const defines = phpDefines(reading, section, base);
  return [...shared, ...own, ...env, ...defines, ...madeUp(section, base)];
}

const SOCKET_ONLY = ["listen.owner", "listen.group", "listen.mode"];

/** Drops, with a word, what means nothing for the pool's kind of address, and zeros that mean "leave alone". */
function applies({ problems }: IniReading, entry: Entry, address: string): boolean {
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
  if (entry.name === "listen.address" && /^\d+$/.test(address)) {
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

function checkRequired({ problems }: IniReading, section: IniSection, name: string): void {
  const missing = (setting: string, example: string) => {
    if (section.scalar(setting) !== undefined) return;
    const hint = `for example: ${setting} = ${example}`;
    problems.error(`pool ${name}: "${setting}" is missing`, section.where, hint);
  };
  missing("pm", "static");
  missing("pm.max_children", "5");
  if (section.scalar("pm")?.value.toLowerCase() !== "dynamic") return;
  missing("pm.min_spare_servers", "1");
  missing("pm.max_spare_servers", "3");
}

function checkSlowlog({ problems }: IniReading, section: IniSection, name: string): void {
  const timeout = section.scalar("request_slowlog_timeout");
  if (timeout === undefined || !/[1-9]/.test(timeout.value)) return;
  if (section.scalar("slowlog") !== undefined) return;
  problems.error(
    `pool ${name}: request_slowlog_timeout needs slowlog`,
    timeout.where,
    "remove it: there is no slow log here",
  );
}

// On by default in php-fpm, so its absence matters even where nobody wrote it.
function checkExtensions({ problems }: IniReading, section: IniSection, name: string): void {
  if (section.scalar("security.limit_extensions") !== undefined) return;
  problems.warn(
    `pool ${name}: security.limit_extensions (.php .phar unless set) is not enforced: php-cgi runs whatever script the web server names`,
    section.where,
    "let the web server pass on existing .php files only (nginx: try_files $fastcgi_script_name =404;)",
  );
}

function environment(
  reading: IniReading,
  section: IniSection,
  php: PhpOfFpm,
  base: string,
): Entry[] {
  const pairs = new Map<string, string>();
  if (php.scanDir !== null) pairs.set("PHP_INI_SCAN_DIR", php.scanDir);
  const items = section.items(["env"]);
  for (const item of items) {
    if (item.value === "") {
      const hint = `remove it, or write env[${item.key}] = ""`;
      reading.problems.error(`env[${item.key}] has no value`, item.where, hint);
    } else if (item.key.startsWith("PHP_FCGI_")) {
      const what = `env[${item.key}] is dropped: php-fpm ignored it, but php-cgi would obey it`;
      reading.problems.warn(what, item.where, "pm.max_children and pm.max_requests say the same");
    } else pairs.set(item.key, variable(reading, item));
  }
  if (pairs.size === 0) return [];
  const where = items[0]?.where ?? "default";
  return [{ name: "env", label: "env", raw: pairs, where, base }];
}

// `$` counted as the first character only, and all behind it was the variable's name.
function variable({ problems }: IniReading, item: IniItem): string {
  const text = item.value;
  if (!text.startsWith("$") || referencedName(text) !== null) return text;
  problems.warn(
    `env[${item.key}] is empty: "${text}" asks for a variable named "${text.slice(1)}"`,
    item.where,
    `only a value that is $NAME as a whole stands for a variable; \${NAME} can stand anywhere`,
  );
  return "";
}

/** The admin ones win; php-fpm applies them last. */
function phpDefines(reading: IniReading, section: IniSection, base: string): Entry[] {
  const plain = section.items(["php_value", "php_flag"]);
  const admin = section.items(["php_admin_value", "php_admin_flag"]);
  const pairs = new Map<string, string>();
  for (const item of [...plain, ...admin]) pairs.set(item.key, phpText(reading, item, base));
  if (pairs.size === 0) return [];
  const where = (plain[0] ?? admin[0])!.where;
  return [{ name: "php.defines", label: "php_value", raw: pairs, where, base }];
}

/** php-fpm takes these as paths relative to the prefix. */
const PHP_PATHS = ["error_log", "extension_dir", "mime_magic.magicfile"];

function phpText({ problems }: IniReading, item: IniItem, base: string): string {
  const text = item.value;
  if (item.name.toLowerCase().endsWith("flag")) {
    const flag = iniRaw("boolean", text);
    if ("ok" in flag) return flag.ok === true ? "1" : "0";
    problems.error(`${item.name}[${item.key}]: ${flag.problem}`, item.where, flag.hint);
    return "";
  }
  const path = PHP_PATHS.includes(item.key) && text !== "" && text !== "syslog";
  return path && !text.startsWith("/") ? resolve(base, text) : text;
}

/** What php-fpm does without being told. */
function madeUp(section: IniSection, base: string): Entry[] {
  const made = (name: string, raw: unknown): Entry => ({
    name,
    label: name,
    raw,
    where: "default",
    base,
  });
  const entries: Entry[] = [];
  if (section.scalar("chroot")?.value && !section.scalar("chdir")?.value) {
    entries.push(made("chdir", "/"));
  }
  const least = number(section, "pm.min_spare_servers");
  const most = number(section, "pm.max_spare_servers");
  const dynamic = section.scalar("pm")?.value.toLowerCase() === "dynamic";
  if (dynamic && section.scalar("pm.start_servers") === undefined && least > 0 && most >= least)
    entries.push(made("start_workers", least + Math.floor((most - least) / 2)));
  return entries;
}

function number(section: IniSection, name: string): number {
  const scalar = section.scalar(name);
  const raw = scalar === undefined ? 0 : iniEntry(scalar, "/").raw;
  return typeof raw === "number" ? raw : 0;
}
