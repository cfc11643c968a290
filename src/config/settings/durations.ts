// Durations and sizes: numbers that mean nothing without their unit, and so must have one.

import { unexpected, type Parsed, type ValueType } from "./values.ts";

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

/** A timer takes 31 bits of milliseconds; anything longer would fire at once. */
const LONGEST_MS = 24 * 86_400_000;

const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Milliseconds as the largest units that say them exactly: `1m30s`, `500ms`, `0s`. */
export function durationText(ms: number): string {
  let rest = ms;
  let out = "";
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) out += `${count}${unit}`;
    rest -= count * size;
  }
  return out === "" ? "0s" : out;
}

/** In milliseconds. */
export function duration(least = "0s"): ValueType<number> {
  const expected = 'a duration with its unit, such as "10s"';
  return {
    expected,
    form: "time",
    schema: { type: "string", pattern: DURATION.source.replace("^", "^(?=.)") },
    parse(raw) {
      const ms = milliseconds(expected, raw);
      if (!("ok" in ms) || ms.ok >= Number(durationMs(least))) return ms;
      return { problem: `"${raw}" is too short: it must be at least ${least}` };
    },
    print: (value) => `"${durationText(value)}"`,
  };
}

/** In milliseconds, or `"off"`. */
export const durationOrOff: ValueType<number | "off"> = {
  ...duration(),
  expected: 'a duration with its unit, such as "10s", or "off"',
  parse(raw, base) {
    return raw === "off" ? { ok: raw } : duration().parse(raw, base);
  },
  schema: { type: "string", pattern: `${DURATION.source.replace("^", "^(?=.)")}|^off$` },
  print: (value) => (value === "off" ? '"off"' : duration().print(value)),
};

function durationMs(text: string): number | null {
  const found = DURATION.exec(text);
  if (found === null || text === "") return null;
  return UNITS.reduce((sum, [, size], i) => sum + Number(found[i + 1] ?? 0) * size, 0);
}

function milliseconds(expected: string, raw: unknown): Parsed<number> {
  const bare = typeof raw === "number" ? String(raw) : typeof raw === "string" ? raw.trim() : "";
  if (/^\d+$/.test(bare)) {
    return {
      problem: `${typeof raw === "string" ? `"${raw}"` : bare} has no unit`,
      hint: `write "${bare}s" for seconds, "${bare}ms" for milliseconds, "${bare}m" for minutes`,
    };
  }
  if (typeof raw !== "string") return unexpected(expected, raw);
  const ms = durationMs(raw);
  if (ms === null) {
    const hint = 'units are ms, s, m, h and d, the largest first: "500ms", "5s", "1m30s", "2h"';
    return { ...unexpected(expected, raw), hint };
  }
  if (ms > LONGEST_MS) return { problem: `"${raw}" is too long: at most 24d is possible` };
  return { ok: ms };
}

const SIZE = /^(\d+)([KMGT]?)$/;
const POWERS = ["", "K", "M", "G", "T"];

/** Bytes from `64M`, `1G`, `4096`; null when it is none. */
export function bytes(text: string): number | null {
  const found = SIZE.exec(text);
  if (found === null) return null;
  const size = Number(found[1]) * 1024 ** POWERS.indexOf(found[2]!);
  return Number.isSafeInteger(size) ? size : null;
}

/** A number of bytes, `"64M"`, or `"unlimited"`. */
export const sizeLimit: ValueType<number | "unlimited"> = {
  expected: 'a size such as "64M", 0, or "unlimited"',
  form: "core",
  schema: { type: ["integer", "string"], minimum: 0, pattern: "^(\\d+[KMGT]?|unlimited)$" },
  parse(raw) {
    if (raw === "unlimited") return { ok: raw };
    const size = typeof raw === "string" ? bytes(raw) : typeof raw === "number" ? raw : null;
    if (size === null || !Number.isSafeInteger(size) || size < 0) {
      return unexpected(sizeLimit.expected, raw);
    }
    return { ok: size };
  },
  print: (value) => (value === "unlimited" ? '"unlimited"' : sizeText(value)),
};

/** The same, but nothing smaller than this. */
export function sizeLimitFrom(least: string): ValueType<number | "unlimited"> {
  return {
    ...sizeLimit,
    expected: `a size of at least "${least}", or "unlimited"`,
    parse(raw, base) {
      const size = sizeLimit.parse(raw, base);
      if (!("ok" in size) || size.ok === "unlimited" || size.ok >= bytes(least)!) return size;
      return { problem: `${JSON.stringify(raw)} is too little: it must be at least ${least}` };
    },
  };
}

function sizeText(size: number): string {
  const power = POWERS.findLastIndex((_, p) => p > 0 && size > 0 && size % 1024 ** p === 0);
  return power < 0 ? String(size) : `"${size / 1024 ** power}${POWERS[power]}"`;
}
