// Takes legacy text apart into what TOML would have given, after which the value types of the
// settings table read it. The original used C's atoi and strtoul and read much as something else than
// it says; such text is refused with the way to write it (legacy FACTS 1.2).

import { ipv4Bytes } from "../../sys/address.ts";
import type { LegacyForm, Parsed } from "../settings/values.ts";

/** The text of one `<value>` as TOML would give it. */
export function legacyRaw(form: LegacyForm, text: string): Parsed<unknown> {
  switch (form) {
    case "integer":
      return integer(text);
    case "boolean":
      return boolean(text);
    case "time":
      return time(text);
    case "core":
      return text === "unlimited" ? { ok: text } : core(text);
    case "list":
      return clients(text);
    case "address":
      return address(text);
    case "text":
    case "path":
    case "pairs":
      return { ok: text };
  }
}

function integer(text: string): Parsed<number> {
  const plain = text.trim();
  if (/^[+-]?\d{1,15}$/.test(plain)) return { ok: Number(plain) };
  const read = Number.parseInt(plain, 10) || 0;
  return {
    problem: `expected an integer, but this is "${text}"`,
    hint: `php-fpm read this as ${read}: write ${read} if that is meant`,
  };
}

function core(text: string): Parsed<number> {
  const size = integer(text);
  if ("ok" in size && size.ok < 0) {
    const problem = `expected an integer of at least 0, or unlimited, but this is ${size.ok}`;
    return { problem, hint: "write unlimited, or how many bytes" };
  }
  return size;
}

const BOOLEANS = new Map([
  ["yes", true],
  ["no", false],
  ["on", true],
  ["off", false],
  ["1", true],
  ["0", false],
]);

/** What people write in other formats. */
const WORDS = new Map([
  ["true", "yes"],
  ["y", "yes"],
  ["false", "no"],
  ["n", "no"],
]);

function boolean(text: string): Parsed<boolean> {
  const value = BOOLEANS.get(text.toLowerCase());
  if (value !== undefined) return { ok: value };
  const plain = text.trim().toLowerCase();
  const meant = BOOLEANS.has(plain) ? plain : (WORDS.get(plain) ?? "yes or no");
  return {
    problem: `expected yes, no, on, off, 1 or 0, but this is "${text}"`,
    hint: `write ${meant}${plain === text.toLowerCase() ? "" : ", without blanks"}`,
  };
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function time(text: string): Parsed<string> {
  if (/^\s*\d{1,12}[smhd]$/.test(text)) return { ok: text.trim() };
  return {
    problem: `expected a number with s, m, h or d behind it, but this is "${text}"`,
    hint: timeHint(text),
  };
}

function timeHint(text: string): string {
  const plain = text.trim().toLowerCase();
  if (/^\d+$/.test(plain)) return `a time needs its unit: write ${plain}s for seconds`;
  if (/^\d+[smhd]$/.test(plain)) return `write ${plain}`;
  const milliseconds = /^(\d+)ms$/.exec(plain)?.[1];
  if (milliseconds !== undefined) {
    const seconds = Math.max(1, Math.round(Number(milliseconds) / 1000));
    return `there are no milliseconds here, and php-fpm read this as ${milliseconds} seconds: write ${seconds}s, or ${milliseconds}s if that is meant`;
  }
  const parts = /^(?:\d+[smhd])+$/.test(plain) ? [...plain.matchAll(/(\d+)([smhd])/g)] : [];
  if (parts.length > 1) {
    const seconds = parts.reduce(
      (sum, [, count, unit]) => sum + Number(count) * SECONDS[unit!]!,
      0,
    );
    const shown = seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
    return `only one number and one unit are possible: write ${shown}`;
  }
  return "for example: 10s, 5m, 1h";
}

function clients(text: string): Parsed<readonly string[]> {
  const list = text.split(",");
  const wrong = list.find((item) => ipv4Bytes(item) === null);
  if (wrong === undefined) return { ok: list };
  const problem = `"${wrong}" is not an IPv4 address`;
  return wrong !== wrong.trim() || wrong === ""
    ? { problem, hint: `write the addresses with commas and without blanks: ${tidy(list)}` }
    : { problem, hint: "php-fpm dropped it and all addresses behind it: correct or remove it" };
}

function tidy(list: readonly string[]): string {
  const kept = list.map((item) => item.trim()).filter((item) => item !== "");
  return kept.length === 0 ? "127.0.0.1" : kept.join(",");
}

/** Only `PORT`, `IPV4:PORT` and a path were ever possible. */
function address(text: string): Parsed<string> {
  const refused = (why: string, hint: string) => ({ problem: `"${text}": ${why}`, hint });
  const plain = text.trim();
  if (plain.startsWith("unix:")) {
    return refused("a legacy address has no unix: before it", `write ${plain.slice(5)}`);
  }
  if (/^\*?:\d+$/.test(plain)) {
    return refused("no address stands before the port", `write ${plain.split(":")[1]}`);
  }
  if (plain.startsWith("[")) {
    return refused(
      "IPv6 is not possible in a legacy file",
      '"fcgivisor convert" writes it as TOML',
    );
  }
  if (plain.startsWith("/") && plain.includes(":")) {
    return refused("the path of a socket cannot hold a colon", "choose a path without one");
  }
  return { ok: text };
}
