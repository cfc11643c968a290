// Takes the text of an INI value apart into what TOML would have given, after which the value types
// of the settings table read it. What php-fpm refused is refused, what it misread too.

import { coreText, timeText } from "../php-fpm/number-texts.ts";
import type { TextForm, Parsed } from "../settings/values.ts";

/** The raw value; `undefined`: an empty text, which is as good as none. */
export function iniRaw(form: TextForm, text: string): Parsed<unknown> {
  switch (form) {
    case "boolean":
      return boolean(text);
    case "time":
      return time(text);
    case "integer":
      return integer(text);
    case "core":
      return coreText(text);
    case "list":
      return { ok: listOf(text) };
    case "text":
    case "path":
    case "address":
    case "pairs":
      return { ok: text === "" ? undefined : text };
  }
}

const TRUE = ["1", "yes", "true", "on"];
const FALSE = ["0", "no", "none", "false", "off", ""];

function boolean(text: string): Parsed<boolean> {
  const plain = text.toLowerCase();
  if (TRUE.includes(plain)) return { ok: true };
  if (FALSE.includes(plain)) return { ok: false };
  return { problem: `expected yes or no, but this is "${text}"`, hint: "write yes or no" };
}

function integer(text: string): Parsed<number> {
  if (/^-?\d{1,15}$/.test(text)) return { ok: Number(text) };
  const number = /^\s*(\d+)/.exec(text)?.[1];
  return {
    problem:
      text === ""
        ? "expected a number, but there is none"
        : `expected a number, but this is "${text}"`,
    hint: number === undefined ? "write a whole number" : `write ${number}`,
  };
}

function time(text: string): Parsed<unknown> {
  if (/^\d{1,12}$/.test(text)) return { ok: `${text}s` };
  const read = timeText(text);
  if ("ok" in read || text !== "") return read;
  return { problem: "expected a time, but there is none", hint: "for example: 10s, 5m, 1h" };
}

function listOf(text: string): string[] | undefined {
  const list = text.split(",").map((item) => item.trim());
  return text === "" ? undefined : list.filter((item) => item !== "");
}
