// Takes in one section of an INI file, line by line: keeps what counts, and says of everything else
// what becomes of it. Of two scalars the last counts; an earlier one is checked all the same and then
// forgotten. Of two `env[NAME]` the first counts (php-fpm 8.2 applies them from the last to the first,
// so that the first is what workers see).

import type { Place } from "../../fault.ts";
import type { Environment } from "../default-places.ts";
import type { Entry } from "../draft.ts";
import { checkReplaced, iniEntry, isUnset, type IniScalar } from "./entry.ts";
import type { IniEntryLine } from "./lines.ts";
import { INI_NAMES, type IniKind, type IniName } from "./names.ts";
import { keyIsMissing, otherwise, unknownName, wrongShape } from "./problems.ts";
import { iniText } from "./value.ts";
import type { PoolReport } from "../php-fpm/pool-rules.ts";
import { MOST_PAIRS } from "../settings/special-values.ts";

export interface IniReading extends PoolReport {
  readonly env: Environment;
  /** Folder that relative patterns and paths are relative to. */
  readonly prefix: string;
}

/** One `NAME[KEY] = VALUE`. */
export interface IniItem {
  readonly name: string;
  readonly key: string;
  readonly value: string;
  readonly where: Place;
}

export class IniSection {
  readonly name: string | null;
  readonly where: Place;
  readonly #reading: IniReading;
  readonly #kind: IniKind;
  readonly #scalars = new Map<string, IniScalar>();
  readonly #arrays = new Map<string, Map<string, IniItem>>();

  /** `name` null: [global], and what stands before any section. */
  constructor(reading: IniReading, name: string | null, where: Place) {
    this.#reading = reading;
    this.name = name;
    this.where = where;
    this.#kind = name === null ? "global" : "pool";
  }

  /** Takes in one line. */
  add(line: IniEntryLine): void {
    const { problems, env } = this.#reading;
    const name = line.name.toLowerCase();
    const known = INI_NAMES[this.#kind].get(name);
    const value = iniText(line, env, problems);
    if (known === undefined) unknownName(problems, line, name, this.#kind);
    else if (known.array !== (line.key !== null)) wrongShape(problems, line, value, known);
    else if (line.key === "" && known.unlike?.bareKey !== true) keyIsMissing(problems, line, value);
    else if (value !== null) this.#keep(line, name, known, this.#withPoolName(value));
  }

  /** The last value of that name; undefined when there is none. */
  scalar(name: string): IniScalar | undefined {
    return this.#scalars.get(name);
  }

  /** Entries of the scalars that are settings of that section of the table. */
  entries(section: "supervisor" | "log" | "pool", base: string): Entry[] {
    return [...this.#scalars.values()]
      .filter((scalar) => scalar.known.setting?.section === section && !isUnset(scalar))
      .map((scalar) => iniEntry(scalar, base));
  }

  /** The first of each key, of all arrays of these names. */
  items(names: readonly string[]): IniItem[] {
    const [only, ...more] = names;
    if (more.length === 0) return [...(this.#arrays.get(only!)?.values() ?? [])];
    const kept = new Map<string, IniItem>();
    for (const name of names)
      for (const item of this.#arrays.get(name)?.values() ?? []) this.#keepFirst(kept, item);
    return [...kept.values()];
  }

  /** `$pool` is the pool's name, anywhere in a value. */
  #withPoolName(value: string): string {
    const { name } = this;
    return name !== null && value.includes("$pool") ? value.replaceAll("$pool", () => name) : value;
  }

  #keep(line: IniEntryLine, name: string, known: IniName, value: string): void {
    const { problems, prefix } = this.#reading;
    if (known.unlike !== null) otherwise(problems, line, value, known.unlike);
    if (line.key !== null) return this.#keepItem(line, line.key, name, value);
    const scalar = { name, label: line.name, known, value, where: line.where };
    const replaced = this.#scalars.get(name);
    if (replaced !== undefined) checkReplaced(problems, replaced, prefix);
    this.#scalars.set(name, scalar);
  }

  #keepItem({ name, where }: IniEntryLine, key: string, array: string, value: string): void {
    if (key === "") return; // it has a key only where the key means something
    let items = this.#arrays.get(array);
    if (items === undefined) this.#arrays.set(array, (items = new Map()));
    this.#keepFirst(items, { name, key, value, where });
  }

  #keepFirst(kept: Map<string, IniItem>, item: IniItem): void {
    if (!kept.has(item.key)) {
      // One more is enough to show that there are too many.
      if (kept.size <= MOST_PAIRS) kept.set(item.key, item);
    } else {
      const what = `${item.name}[${item.key}] is given already, and the first one counts, as in php-fpm`;
      this.#reading.problems.warn(what, item.where, "remove one of them");
    }
  }
}
