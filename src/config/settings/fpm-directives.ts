// The value of a pool's `fpm`: directives of php-fpm by name. An array without keys, which php-fpm writes
// `access.suppress_path[] = /ping` line by line, is an array in TOML too, and here `access.suppress_path[0]`
// and so on.

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
      for (const text of read.ok) all.set(numbered(name, all), text);
    }
    return { ok: all };
  },
  print: (value) => (value.size === 0 ? "{}" : `{ ${printed(value).join(", ")} }`),
};

/** One value, or those of an array. */
function directive(name: string, raw: unknown, base: string): Parsed<readonly string[]> {
  const wrong = directiveNameProblem(name);
  if (wrong !== null) return wrong;
  const values: string[] = [];
  for (const each of isArray(name) && Array.isArray(raw) ? raw : [raw]) {
    const value = directiveValue(name, each, base);
    if (!("ok" in value)) return { ...value, problem: `${keyText(name)}: ${value.problem}` };
    values.push(value.ok);
  }
  return { ok: values };
}

function isArray(name: string): boolean {
  return POOL_DIRECTIVES.get(directiveName(name))?.form === "paths";
}

function numbered(name: string, known: Directives): string {
  if (!isArray(name)) return name;
  const own = directiveName(name);
  return `${own}[${[...known.keys()].filter((each) => directiveName(each) === own).length}]`;
}

function printed(value: Directives): string[] {
  const names = Map.groupBy(value, ([name]) => directiveName(name));
  return [...names].map(([name, items]) => {
    const texts = items.map(([, text]) => quote(text)).join(", ");
    return `${keyText(name)} = ${isArray(name) ? `[${texts}]` : texts}`;
  });
}
