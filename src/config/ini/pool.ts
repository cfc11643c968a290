// The last step: one pool of a php-fpm INI file as entries of the settings table, by php-fpm's rules:
// the pool's own prefix, arrays, and what it does when something is missing.

import { resolve } from "node:path";
import type { Entry } from "../draft.ts";
import { iniRaw } from "./forms.ts";
import type { PhpOfFpm } from "./php.ts";
import type { IniReading } from "./lines.ts";
import type { IniItem, IniSection } from "./sections.ts";
import { chdirAfterChroot, impliedEntry } from "../php-fpm/implied.ts";
import {
  environmentOf,
  hasSlowlog,
  isUnix,
  isZeroLimit,
  meansNothing,
  type PoolWording,
} from "../php-fpm/pool-rules.ts";

const WORDING = {
  variable: (name: string) => `env[${name}]`,
  references: "; ${NAME} can stand anywhere",
  zeroLimitHint: () => undefined,
  slowlogHint: "remove it: there is no slow log here",
};

/** Where php-fpm itself runs the pool, nothing is said of what it does as ever. */
export const INI_WORDING: Readonly<Record<PhpOfFpm["runtime"], PoolWording>> = {
  "php-fpm": { ...WORDING, countSettings: null, zeroLimit: () => null },
  "php-cgi": {
    ...WORDING,
    countSettings: "pm.max_children and pm.max_requests",
    zeroLimit: (label) => `${label} = 0 leaves the limit alone, as in php-fpm`,
  },
};

export interface IniPoolContext {
  readonly reading: IniReading;
  /** Entries that [global] gives to every pool. */
  readonly shared: readonly Entry[];
}

export function iniPoolEntries(
  context: IniPoolContext,
  section: IniSection,
  name: string,
): Entry[] {
  const { reading, shared } = context;
  const base = resolve(reading.prefix, section.scalar("prefix")?.value || ".");
  checkRequired(reading, section, name);
  if (reading.php.runtime === "php-cgi") {
    checkSlowlog(reading, section, name);
    checkExtensions(reading, section, name);
  }
  const address = section.scalar("listen")?.value ?? "";
  const lists = ["listen.acl_users", "listen.acl_groups"].map((each) => section.scalar(each));
  const hasList = lists.some((list) => (list?.value ?? "") !== "");
  const own = section
    .entries("pool", base)
    .filter((entry) => applies(reading, entry, address, hasList));
  const env = environment(reading, section, base);
  const php = phpSettings(reading, section, base);
  const fpm = section.handedOn.entries(base);
  return [...shared, ...own, ...env, ...php, ...fpm, ...phpFpmDefaults(section, base)];
}

/** Drops, with a word, what means nothing for the pool's kind of address, and zeros that mean "leave alone". */
function applies(reading: IniReading, entry: Entry, address: string, hasList: boolean): boolean {
  const { problems } = reading;
  const unix = isUnix(address);
  if (unix && hasList && ["listen.owner", "listen.group"].includes(entry.name)) {
    const what = `${entry.label} is ignored beside listen.acl_users and listen.acl_groups, as in php-fpm`;
    problems.warn(what, entry.where, "remove one of them");
    return false;
  }
  if (isZeroLimit(entry, reading)) return false;
  if (meansNothing(entry.name, unix) && entry.problem === undefined) {
    const [kind, hint] = unix ? UNIX : TCP;
    if (reading.php.runtime === "php-cgi")
      problems.warn(`${entry.label} means nothing for a ${kind}`, entry.where, hint);
    return false;
  }
  return true;
}

const UNIX = [
  "Unix socket",
  "remove it: listen.owner, listen.group and listen.mode say who may connect",
] as const;
const TCP = ["TCP address", "remove it"] as const;

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

function checkSlowlog(reading: IniReading, section: IniSection, name: string): void {
  const timeout = section.scalar("request_slowlog_timeout");
  if (timeout === undefined || !/[1-9]/.test(timeout.value)) return;
  hasSlowlog(name, timeout.where, section.scalar("slowlog"), reading);
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

function environment(reading: IniReading, section: IniSection, base: string): Entry[] {
  const { scanDir } = reading.php;
  const items = section.items(["env"]);
  for (const { key, where } of items.filter(({ value }) => value === "")) {
    reading.problems.error(
      `env[${key}] has no value`,
      where,
      `remove it, or write env[${key}] = ""`,
    );
  }
  const variables = items
    .filter(({ value }) => value !== "")
    .map(({ key, value, where }) => ({ name: key, value, where }));
  const pairs = new Map([
    ...(scanDir === null ? [] : [["PHP_INI_SCAN_DIR", scanDir] as const]),
    ...environmentOf(variables, reading),
  ]);
  return pairs.size === 0 ? [] : [impliedEntry("env", pairs, base, items[0]?.where)];
}

function phpSettings(reading: IniReading, section: IniSection, base: string): Entry[] {
  const entry = (setting: string, kind: string): Entry[] => {
    const items = section.items([`${kind}_value`, `${kind}_flag`]);
    const pairs = new Map(items.map((item) => [item.key, phpText(reading, item, base)]));
    const [first] = items;
    return first === undefined
      ? []
      : [impliedEntry(setting, pairs, base, first.where, `${kind}_value`)];
  };
  return [...entry("php.defines", "php"), ...entry("php.admin", "php_admin")];
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
function phpFpmDefaults(section: IniSection, base: string): Entry[] {
  const [chroot, chdir] = [section.scalar("chroot")?.value, section.scalar("chdir")?.value];
  const entries = chdirAfterChroot({ chroot, chdir }, base);
  const least = section.number("pm.min_spare_servers");
  const most = section.number("pm.max_spare_servers");
  const dynamic = section.scalar("pm")?.value.toLowerCase() === "dynamic";
  if (dynamic && section.scalar("pm.start_servers") === undefined && least > 0 && most >= least)
    entries.push(impliedEntry("start_workers", least + Math.floor((most - least) / 2), base));
  return entries;
}
