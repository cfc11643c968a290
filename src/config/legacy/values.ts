// Takes legacy text apart into what TOML would have given, after which the value types of the
// settings table read it. What the original misread is refused with the way to write it (legacy FACTS 1.2).

import { ipv4Bytes } from "../../sys/socket/ip.ts";
import { coreText, integerText, timeText } from "../php-fpm/number-texts.ts";
import type { TextForm, Parsed } from "../settings/values.ts";

/** The text of one `<value>` as TOML would give it. */
export function legacyRaw(form: TextForm, text: string): Parsed<unknown> {
  switch (form) {
    case "integer":
      return integerText(text);
    case "boolean":
      return boolean(text);
    case "time":
      return timeText(text);
    case "core":
      return coreText(text);
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
