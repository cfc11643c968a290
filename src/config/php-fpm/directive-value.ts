// What one directive that is handed on to php-fpm may say, by php-fpm's own rules: refused here is what
// php-fpm would refuse when it starts, so that it shows before anything is touched.

import { type DirectiveForm, directiveName, HANDED_ON, POOL_DIRECTIVES } from "./directives.ts";
import { timeText } from "./number-texts.ts";
import { nearest } from "../nearest.ts";
import { describe, quote, type Parsed } from "../settings/values.ts";

/** What is wrong with such a name in a pool's `fpm`; null when it is handed on. */
export function directiveNameProblem(written: string): { problem: string; hint: string } | null {
  const name = directiveName(written);
  const directive = POOL_DIRECTIVES.get(name);
  if (directive === undefined) return unknownDirective(name);
  switch (directive.owner.kind) {
    case "php-fpm":
      return written === name || (directive.form === "paths" && written === `${name}[]`)
        ? null
        : { problem: `${quote(name)} takes no brackets`, hint: `write ${quote(name)}` };
    case "setting":
      return {
        problem: `${quote(name)} is the setting "${directive.owner.name}" here`,
        hint: `move it out of fpm: ${settingExample(directive.owner.name, written)}`,
      };
    case "fcgivisor":
      return { problem: `${quote(name)} ${directive.owner.why}`, hint: "remove it" };
  }
}

/** `php.admin = { memory_limit = "..." }` for `php_admin_value[memory_limit]`. */
function settingExample(setting: string, written: string): string {
  const key = /\[(.+)\]$/.exec(written)?.[1];
  return key === undefined ? `${setting} = ...` : `${setting} = { ${quote(key)} = "..." }`;
}

function unknownDirective(name: string) {
  const known = [...POOL_DIRECTIVES.keys()];
  const near = nearest(name.toLowerCase(), known);
  const hint = near === null ? `known are ${HANDED_ON.join(", ")}` : `did you mean "${near}"?`;
  return { problem: `${quote(name)} is no pool directive of php-fpm`, hint };
}

/**
 * The value as it goes to php-fpm: booleans as yes or no, paths absolute. `base` is the folder that a
 * relative path is relative to.
 */
export function directiveValue(name: string, raw: unknown, base: string): Parsed<string> {
  const text = plainText(raw);
  if (text === null)
    return {
      problem: `expected a string, but this is ${describe(raw)}`,
      hint: "only access.suppress_path takes more than one value",
    };
  if (/[\0-\x1f\x7f]/.test(text))
    return { problem: "a control character cannot stand here", hint: "write it on one line" };
  const { form } = POOL_DIRECTIVES.get(directiveName(name))!;
  const own = OWN_RULES[directiveName(name)]?.(text) ?? null;
  return own ?? FORMS[form](text, base);
}

function plainText(raw: unknown): string | null {
  if (typeof raw === "string") return raw;
  if (typeof raw === "boolean") return raw ? "yes" : "no";
  return typeof raw === "number" && Number.isInteger(raw) ? String(raw) : null;
}

/** C's int, which php-fpm reads numbers into. */
const LARGEST = 2_147_483_647;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A time in seconds, as php-fpm reads `10s`, `5m`, `2h`, `1d` and `10`; null when it is none. */
export function directiveSeconds(text: string): number | null {
  const [, count, unit = "s"] = /^(\d{1,12})([smhd]?)$/.exec(text) ?? [];
  return count === undefined ? null : Number(count) * SECONDS[unit === "" ? "s" : unit]!;
}

const FORMS: Readonly<Record<DirectiveForm, (text: string, base: string) => Parsed<string>>> = {
  text: (text) => ({ ok: text }),
  // As php-fpm does it: an absolute path is left as it is.
  path: (text, base) => ({ ok: text === "" || text.startsWith("/") ? text : `${base}/${text}` }),
  paths: (text) =>
    text.startsWith("/")
      ? { ok: text }
      : { problem: `${quote(text)} does not begin with a slash`, hint: "for example: /ping" },
  integer: (text) =>
    /^-?\d{1,12}$/.test(text) && Math.abs(Number(text)) <= LARGEST
      ? { ok: text }
      : { problem: `expected a number, but this is ${quote(text)}`, hint: "write a whole number" },
  boolean: (text) => {
    if (/^(1|yes|true|on)$/i.test(text)) return { ok: "yes" };
    if (/^(0|no|none|false|off|)$/i.test(text)) return { ok: "no" };
    return {
      problem: `expected yes or no, but this is ${quote(text)}`,
      hint: 'write "yes" or "no"',
    };
  },
  time: (text) => {
    const seconds = directiveSeconds(text);
    if (seconds !== null && seconds <= LARGEST) return { ok: text };
    const read = timeText(text);
    if ("problem" in read) return read;
    return { problem: `expected a time, but this is ${quote(text)}`, hint: "for example: 5s" };
  },
};

type OwnRule = (text: string) => { readonly problem: string; readonly hint?: string } | null;

const requestPath: OwnRule = (text) =>
  text === "" || /^\/[A-Za-z0-9/_.~-]+$/.test(text)
    ? null
    : {
        problem: `${quote(text)} is not what php-fpm takes for a path`,
        hint: 'a slash, then letters, digits and /_-.~ only: "/status"',
      };

const OWN_RULES: Readonly<Record<string, OwnRule>> = {
  "pm.status_path": requestPath,
  "ping.path": requestPath,
  "access.log": (text) =>
    text === ""
      ? { problem: "there is no path", hint: "name a file, or leave it out: then there is none" }
      : null,
  request_slowlog_trace_depth: (text) =>
    /^-/.test(text) ? { problem: `expected a number above 0, but this is ${quote(text)}` } : null,
};
