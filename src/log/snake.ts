// One style for the names in all JSON that is printed or answered: snake_case, as the config has it.

/** The same value with the names of its objects in snake_case; `1` to `9` stay with their word. */
export function snakeNames(value: unknown): unknown {
  return renamed(value, (name) =>
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  );
}

/** What `snakeNames` made, as it was. */
export function camelNames(value: unknown): unknown {
  return renamed(value, (name) =>
    name.replaceAll(/_([a-z])/g, (_, letter) => letter.toUpperCase()),
  );
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [rename(name), renamed(inner, rename)]),
  );
}
