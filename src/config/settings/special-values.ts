// Values with a meaning outside the file: addresses, client lists, signals, environments.

import { resolve } from "node:path";
import type { ExtraWorkers } from "../model.ts";
import { addressText, parseAddress, type ListenAddress } from "../../sys/socket/address.ts";
import { parseIpBlock, type IpBlock } from "../../sys/socket/ip.ts";
import { processors } from "../../sys/machine/processors.ts";
import {
  integer,
  plainString,
  quote,
  strings,
  unexpected,
  type Parsed,
  type ValueType,
} from "./values.ts";

export const address: ValueType<ListenAddress> = {
  expected: 'an address such as "127.0.0.1:9000" or "/run/www.sock"',
  form: "address",
  schema: { type: ["string", "integer"], minLength: 1, minimum: 1, maximum: 65_535 },
  parse(raw, base) {
    // A port alone may stand without quotes.
    const plain = plainString(address.expected, Number.isInteger(raw) ? String(raw) : raw);
    if (!("ok" in plain)) return plain;
    if (plain.ok.startsWith("systemd:")) return handedOver(plain.ok.slice("systemd:".length));
    if (/^unix:$|\/$/.test(plain.ok)) {
      return { problem: `${quote(plain.ok)} is not the path of a socket` };
    }
    if (plain.ok.includes("$")) {
      const problem = `${quote(plain.ok)} has a dollar sign in it, and no variable is replaced here`;
      return { problem, hint: "write the address itself" };
    }
    const parsed = parseAddress(plain.ok, (path) => resolve(base, path));
    if ("ok" in parsed || parsed.problem.includes(plain.ok)) return parsed;
    return { ...parsed, problem: `${quote(plain.ok)}: ${parsed.problem}` };
  },
  print: (value) => quote(addressText(value)),
};

/** The name of a descriptor, as sd_listen_fds_with_names(3) allows it. */
function handedOver(name: string): Parsed<ListenAddress> {
  if (/^[!-9;-~]{1,255}$/.test(name)) return { ok: { kind: "systemd", name } };
  return {
    problem: `${quote(name)} cannot be the name of a socket that systemd hands over`,
    hint: 'it is what FileDescriptorName= says in the socket unit, for example "systemd:www"',
  };
}

const AUTO = /^auto(?:\*([0-9]{1,4}(?:\.[0-9]{1,3})?))?$/;

/** Addresses or CIDR blocks, of both families. */
export const clients: ValueType<readonly string[]> = {
  expected: "an array of IP addresses or blocks of them",
  form: "list",
  schema: { type: "array", items: { type: "string" } },
  parse(raw, base) {
    const list = strings.parse(raw, base);
    if (!("ok" in list)) return list;
    if (list.ok.length > LONGEST_FILTER) return tooMany(list.ok);
    const blocks = list.ok.map(parseIpBlock);
    if (blocks.every((block) => block !== null))
      return filterLength(blocks) > LONGEST_FILTER ? tooMany(list.ok) : list;
    const wrong = list.ok[blocks.indexOf(null)]!;
    return {
      problem: `${quote(wrong)} is neither an IP address nor a block of them`,
      hint: 'examples: "127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"',
    };
  },
  print: (value) => strings.print(value),
};

/** BPF_MAXINSNS: the kernel takes no longer filter on a socket (linux/bpf_common.h). */
export const LONGEST_FILTER = 4096;

/** How many instructions socket/filter.ts makes of them: three for each 32 bits, one for each block. */
export function filterLength(blocks: readonly IpBlock[]): number {
  return blocks.reduce((sum, { bits }) => sum + Math.ceil(bits / 32) * 3 + 1, 9);
}

function tooMany(entries: readonly string[]): Parsed<never> {
  return {
    problem: `${entries.length} entries are more than the kernel's filter can hold, about 1000 for IPv4 or 300 for IPv6`,
    hint: 'write blocks in place of single addresses ("10.0.0.0/8"), or leave it to the firewall',
  };
}

const SIGNALS = ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH"];

/** A signal that a program can answer to, so not KILL or STOP; `SIG` may be left out. */
export const stopSignal: ValueType<string> = {
  expected: `one of ${SIGNALS.map((name) => `"SIG${name}"`).join(", ")}`,
  form: "text",
  schema: { enum: SIGNALS.flatMap((name) => [`SIG${name}`, name]) },
  parse(raw) {
    const name = typeof raw === "string" ? raw.replace(/^SIG/, "") : "";
    return SIGNALS.includes(name) ? { ok: `SIG${name}` } : unexpected(stopSignal.expected, raw);
  },
  print: quote,
};

/** Far more than anybody hands to a program, and execve(2) takes about two megabytes. */
export const MOST_PAIRS = 10_000;

function tooManyNames(): Parsed<never> {
  return { problem: `there are more than ${MOST_PAIRS} names in it: a program cannot take them` };
}

/** What else than strings may stand in a table of pairs; a frequent slip where it may not. */
type OtherValues = "numbers and booleans" | "nothing else";

export function pairs(
  what: string,
  checkName: (name: string) => string | null,
  others: OtherValues = "nothing else",
) {
  const expected = `a table of strings: ${what}`;
  const types = others === "nothing else" ? "string" : ["string", "number", "boolean"];
  const type: ValueType<ReadonlyMap<string, string>> = {
    expected,
    form: "pairs",
    schema: { type: "object", additionalProperties: { type: types } },
    parse(raw) {
      if (typeof raw !== "object" || raw === null || Array.isArray(raw) || raw instanceof Date) {
        return unexpected(expected, raw);
      }
      const entries = raw instanceof Map ? [...raw] : Object.entries(raw);
      return entries.length > MOST_PAIRS ? tooManyNames() : pairsOf(entries, checkName, others);
    },
    print: (value) =>
      value.size === 0
        ? "{}"
        : `{ ${[...value].map(([k, v]) => `${keyText(k)} = ${quote(v)}`).join(", ")} }`,
  };
  return type;
}

function pairsOf(
  entries: readonly (readonly [string, unknown])[],
  checkName: (name: string) => string | null,
  others: OtherValues,
): Parsed<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const [name, value] of entries) {
    const wrong = checkName(name);
    if (wrong !== null) return { problem: `${quote(name)} ${wrong}` };
    if (typeof value !== "string") {
      const simple = typeof value === "number" || typeof value === "boolean";
      if (simple && others === "numbers and booleans") {
        // As PHP itself has them in an ini file.
        texts.set(name, String(Number(value)));
        continue;
      }
      const problem = `${keyText(name)}: ${unexpected("a string", value).problem}`;
      return simple ? { problem, hint: `write it in quotes: "${value}"` } : { problem };
    }
    if (value.includes("\0")) return { problem: `${keyText(name)} contains a NUL character` };
    texts.set(name, value);
  }
  return { ok: texts };
}

/** A key as TOML: bare where it can be. */
export function keyText(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : quote(key);
}

export const environment = pairs("names and values", (name) =>
  name === "" || /[=\0]/.test(name) ? "cannot be the name of an environment variable" : null,
);

export const defines = pairs(
  "php.ini settings and their values",
  (name) =>
    /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name) ? null : "cannot be the name of a php.ini setting",
  "numbers and booleans",
);

/** The variable that a whole value `$NAME` stands for; null when the value is meant as written. */
export function referencedName(value: string): string | null {
  return /^\$[A-Za-z_][A-Za-z0-9_]*$/.test(value) ? value.slice(1) : null;
}

const MOST_WORKERS = 10_000;
const count = integer(1, MOST_WORKERS);

/** How many workers; "auto" is one for each processor that this process may use, "auto*4" four. */
export const workerCount: ValueType<number> = {
  expected: `${count.expected}, or "auto" or "auto*4"`,
  form: "integer",
  schema: { anyOf: [count.schema, { type: "string", pattern: AUTO.source }] },
  parse(raw, base) {
    const auto = typeof raw === "string" ? AUTO.exec(raw) : null;
    if (auto === null) {
      const read = count.parse(raw, base);
      return "ok" in read || typeof raw === "number" ? read : unexpected(workerCount.expected, raw);
    }
    return count.parse(Math.ceil(processors() * Number(auto[1] ?? 1)), base);
  },
  print: count.print,
};

/** A number of workers, or percent of a pool's. */
export const countOrPercent: ValueType<ExtraWorkers> = {
  expected: 'a number of workers (2) or percent of them ("25%")',
  form: "text",
  schema: { type: ["integer", "string"], minimum: 1, pattern: "^[0-9]{1,4}%$" },
  parse(raw) {
    if (typeof raw === "number" && Number.isInteger(raw) && raw >= 1)
      return { ok: { kind: "count", value: raw } };
    const percent = typeof raw === "string" ? /^([0-9]{1,4})%$/.exec(raw) : null;
    const value = Number(percent?.[1]);
    if (percent !== null && value >= 1) return { ok: { kind: "percent", value } };
    if (typeof raw === "number" || percent !== null)
      return {
        problem: "expected at least 1",
        hint: "new workers must come up before old ones go",
      };
    return unexpected(this.expected, raw);
  },
  print: ({ kind, value }) => (kind === "count" ? String(value) : quote(`${value}%`)),
};
