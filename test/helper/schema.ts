// What a value has that a JSON Schema does not allow: as much of draft 7 as the program's own schema uses.

type Schema = Readonly<Record<string, unknown>>;

/** Places and what is wrong there; empty when the value is as the schema says. */
export function against(value: unknown, schema: Schema, root: Schema, at = "$"): string[] {
  if (typeof schema["$ref"] === "string") {
    const name = schema["$ref"].split("/").at(-1)!;
    return against(value, (root["definitions"] as Record<string, Schema>)[name]!, root, at);
  }
  const anyOf = schema["anyOf"] as readonly Schema[] | undefined;
  if (anyOf !== undefined) {
    const all = anyOf.map((each) => against(value, each, root, at));
    // The alternative that fits best says most.
    return all.toSorted((a, b) => a.length - b.length)[0]!;
  }
  if ("const" in schema) return value === schema["const"] ? [] : [`${at} is ${value}`];
  if ("enum" in schema)
    return (schema["enum"] as unknown[]).includes(value) ? [] : [`${at} is ${value}`];
  return ofType(value, schema, root, at);
}

function ofType(value: unknown, schema: Schema, root: Schema, at: string): string[] {
  const wrong = [`${at} is no ${schema["type"]}: ${JSON.stringify(value)?.slice(0, 80)}`];
  switch (schema["type"]) {
    case "null":
      return value === null ? [] : wrong;
    case "integer":
      return Number.isInteger(value) && Number(value) >= Number(schema["minimum"] ?? value)
        ? []
        : wrong;
    case "array":
      return Array.isArray(value)
        ? value.flatMap((item, i) => against(item, schema["items"] as Schema, root, `${at}[${i}]`))
        : wrong;
    case "object":
      return typeof value === "object" && value !== null
        ? ofObject(value, schema, root, at)
        : wrong;
    default:
      return typeof value === schema["type"] ? [] : wrong;
  }
}

function ofObject(value: object, schema: Schema, root: Schema, at: string): string[] {
  const properties = schema["properties"] as Record<string, Schema>;
  const missing = (schema["required"] as string[]).filter((name) => !(name in value));
  return [
    ...missing.map((name) => `${at}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, inner]) => {
      const own = properties[name];
      return own === undefined
        ? [`${at}.${name} is not in the schema (src/admin/schema.ts)`]
        : against(inner, own, root, `${at}.${name}`);
    }),
  ];
}
