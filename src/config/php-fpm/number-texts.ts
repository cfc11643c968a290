// Numbers and times as both formats of php-fpm write them, taken apart into what TOML would have given.
// php-fpm used C's atoi and strtoul and read much as something else than it says; such text is refused
// with the way to write it.

import type { Parsed } from "../settings/values.ts";

/** A whole number. */
export function integerText(text: string): Parsed<number> {
  const plain = text.trim();
  if (/^[+-]?\d{1,15}$/.test(plain)) return { ok: Number(plain) };
  const read = Number.parseInt(plain, 10) || 0;
  return {
    problem: `expected an integer, but this is "${text}"`,
    hint: `php-fpm read this as ${read}: write ${read} if that is meant`,
  };
}

/** The size of a core file. */
export function coreText(text: string): Parsed<number | "unlimited"> {
  if (text === "unlimited") return { ok: text };
  const size = integerText(text);
  if ("ok" in size && size.ok < 0) {
    const problem = `expected an integer of at least 0, or unlimited, but this is ${size.ok}`;
    return { problem, hint: "write unlimited, or how many bytes" };
  }
  return size;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A time with its unit. */
export function timeText(text: string): Parsed<string> {
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
