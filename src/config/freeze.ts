// Makes a config unchangeable all the way down; a Map's contents are protected by its type.

/** Freezes objects and arrays in depth and returns the same value. */
export function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
