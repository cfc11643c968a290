// The value of a pool's `fpm`: directives of php-fpm by name. An array without keys, which php-fpm writes
// `access.suppress_path[] = /ping` line by line, is an array in TOML too; in the model it is one text under
// `access.suppress_path[]`, a value a line.

import { directiveName, POOL_DIRECTIVES } from "../php-fpm/directives.ts";
import { directiveNameProblem, directiveValue } from "../php-fpm/directive-value.ts";
import { keyText } from "./special-values.ts";
import { quote, unexpected, type Parsed, type ValueType } from "./values.ts";

type Directives = ReadonlyMap<string, string>;

const expected = "a table of pool directives of php-fpm and their values";

export const fpmDirectives: ValueType<Directives> = {
  expected,
  form: "pairs",
  keepsPlaces: true,
  schema: {
    type: "object",
    additionalProperties: { type: ["string", "number", "boolean", "array"] },
  },
  parse(raw, base) {
    if (typeof raw !== "object" || raw === null || Array.isArray(raw) || raw instanceof Date)
      return unexpected(expected, raw);
    const all = new Map<string, string>();
    const given: [string, unknown][] = raw instanceof Map ? [...raw] : Object.entries(raw);
    for (const [name, value] of given) {
      const read = directive(name, value, base);
      if ("problem" in read) return { ...read, key: name };
      all.set(isArray(name) ? `${directiveName(name)}[]` : name, read.ok);
    }
    return { ok: all };
  },
  print: (value) => (value.size === 0 ? "{}" : `{ ${[...value].map(printed).join(", ")} }`),
};

/** The text of one, or the lines of an array. */
function directive(name: string, raw: unknown, base: string): Parsed<string> {
  const wrong = directiveNameProblem(name);
  if (wrong !== null) return wrong;
  const lines: string[] = [];
  for (const each of isArray(name) ? itemsOf(raw) : [raw]) {
    const value = directiveValue(name, each, base);
    if (!("ok" in value)) return { ...value, problem: `${keyText(name)}: ${value.problem}` };
    lines.push(value.ok);
  }
  return { ok: lines.join("\n") };
}

function isArray(name: string): boolean {
  return POOL_DIRECTIVES.get(directiveName(name))?.form === "paths";
}

function itemsOf(raw: unknown): readonly unknown[] {
  if (Array.isArray(raw)) return raw;
  return typeof raw === "string" ? raw.split("\n") : [raw];
}

function printed([name, text]: readonly [string, string]): string {
  if (!isArray(name)) return `${keyText(name)} = ${quote(text)}`;
  const items = text === "" ? [] : text.split("\n");
  return `${keyText(directiveName(name))} = [${items.map(quote).join(", ")}]`;
}
