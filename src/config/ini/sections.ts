// The third step: each line goes to its section, which keeps what counts and says of everything else
// what becomes of it. Of two scalars the last counts; an earlier one is checked all the same and then
// forgotten. Of two `env[NAME]` the first counts (php-fpm 8.2 applies them from the last to the first,
// so that the first is what workers see).

import type { Place } from "../../fault.ts";
import type { Entry } from "../draft.ts";
import { checkReplaced, iniEntry, isUnset, type IniScalar } from "./entry.ts";
import { iniRaw } from "./forms.ts";
import {
  labelOf,
  type IniLine,
  type IniReading,
  type IniSectionLine,
  type IniValueLine,
} from "./lines.ts";
import { iniNameOf, type IniKind, type IniName } from "./names.ts";
import type { Difference } from "./differences.ts";
import { HandedOn, isHandedOn } from "./handed-on.ts";
import { MOST_PAIRS } from "../settings/special-values.ts";

/** All sections of a config, over all its files. */
export class IniSections {
  readonly global: IniSection;
  readonly #pools = new Map<string, IniSection>();
  readonly #reading: IniReading;
  #current: IniSection;

  constructor(reading: IniReading, file: string) {
    this.#reading = reading;
    this.#current = this.global = new IniSection(reading, null, { file });
  }

  /** A pool that is continued later is one section. */
  get pools(): readonly IniSection[] {
    return [...this.#pools.values()];
  }

  /** Takes in the next line. */
  take(line: IniLine): void {
    if (line.kind === "section") this.#current = this.#sectionOf(line);
    else this.#current.take(line);
  }

  #sectionOf({ name, where }: IniSectionLine): IniSection {
    if (name.toLowerCase() === "global") return this.global;
    const section = this.#pools.get(name) ?? new IniSection(this.#reading, name, where);
    this.#pools.set(name, section);
    return section;
  }
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
  /** What goes to php-fpm as it is, where it runs the pool. */
  readonly handedOn: HandedOn;

  /** `name` null: [global], and what stands before any section. */
  constructor(reading: IniReading, name: string | null, where: Place) {
    this.#reading = reading;
    this.name = name;
    this.where = where;
    this.#kind = name === null ? "global" : "pool";
    this.handedOn = new HandedOn(reading.problems);
  }

  /** Takes in one line. */
  take(line: IniValueLine): void {
    if (this.#isHandedOn(line.name)) {
      const { value } = line;
      const named = value === null ? value : this.#withPoolName(value);
      return this.handedOn.take({ ...line, value: named });
    }
    const known = iniNameOf(this.#kind, line);
    if ("problem" in known) this.#reading.problems.error(known.problem, line.where, known.hint);
    else if (line.value !== null) this.#keep(line, known, this.#withPoolName(line.value));
  }

  /** The last value of that name; undefined when there is none. */
  scalar(name: string): IniScalar | undefined {
    return this.#scalars.get(name);
  }

  /** The last number of that name; 0 when there is none, or what is there is no number. */
  number(name: string): number {
    const scalar = this.#scalars.get(name);
    const raw = scalar === undefined ? 0 : iniEntry(scalar, "/").raw;
    return typeof raw === "number" ? raw : 0;
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

  #isHandedOn(name: string): boolean {
    const toPhpFpm = this.#kind === "pool" && this.#reading.php.runtime === "php-fpm";
    return toPhpFpm && isHandedOn(name);
  }

  #keep(line: IniValueLine, known: IniName, value: string): void {
    if (known.difference !== null) this.#sayDifference(line, known.difference, value);
    const name = line.name.toLowerCase();
    if (line.key !== null) this.#keepItem(line, line.key, name, value);
    else this.#keepScalar({ name, label: line.name, known, value, where: line.where });
  }

  /** Says why what the line asks for is not done, where it asks for something. */
  #sayDifference(line: IniValueLine, difference: Difference, value: string): void {
    const { problems } = this.#reading;
    const raw = iniRaw(difference.form, value);
    if ("problem" in raw) problems.error(`${labelOf(line)}: ${raw.problem}`, line.where, raw.hint);
    else if (difference.why === null || raw.ok === undefined || isHarmless(difference, raw.ok))
      return;
    else if (difference.onPhpCgi !== true || this.#reading.php.runtime === "php-cgi")
      problems.warn(`${labelOf(line)} ${difference.why}`, line.where, difference.instead);
  }

  #keepScalar(scalar: IniScalar): void {
    const replaced = this.#scalars.get(scalar.name);
    if (replaced !== undefined)
      checkReplaced(this.#reading.problems, replaced, this.#reading.prefix);
    this.#scalars.set(scalar.name, scalar);
  }

  #keepItem({ name, where }: IniValueLine, key: string, array: string, value: string): void {
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

function isHarmless({ harmless = [] }: Difference, raw: unknown): boolean {
  return harmless.includes(typeof raw === "boolean" ? String(Number(raw)) : String(raw));
}
