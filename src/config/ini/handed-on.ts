// The lines of a pool that php-fpm itself gets to see, where it runs the pool: checked by its own rules at their
// own line, and put together as the pool's `fpm`. Of two scalars the last counts, of an array all.

import type { Place } from "../../fault.ts";
import type { Entry } from "../draft.ts";
import { directiveName, HANDED_ON, POOL_DIRECTIVES } from "../php-fpm/directives.ts";
import { directiveValue } from "../php-fpm/directive-value.ts";
import { impliedEntry } from "../php-fpm/implied.ts";
import type { Problems } from "../problems.ts";
import { MOST_PAIRS } from "../settings/special-values.ts";
import { type IniValueLine, labelOf } from "./lines.ts";

interface Line {
  readonly name: string;
  readonly value: string;
  readonly where: Place;
}

/** Whether php-fpm follows the directive of this name by itself; names count in any case. */
export function isHandedOn(name: string): boolean {
  return HANDED_ON.includes(name.toLowerCase());
}

export class HandedOn {
  readonly #problems: Problems;
  readonly #lines: Line[] = [];

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** Takes in one line of such a name; what is wrong with it is said. */
  take(line: IniValueLine): void {
    const name = line.name.toLowerCase();
    const array = POOL_DIRECTIVES.get(name)!.form === "paths";
    const brackets = bracketProblem(line, array);
    if (brackets !== null) this.#problems.error(brackets.problem, line.where, brackets.hint);
    if (brackets !== null || line.value === null) return;
    // Where a relative path leads shows only when the whole section is read.
    const read = directiveValue(name, line.value, "/");
    if ("problem" in read)
      this.#problems.error(`${labelOf(line)}: ${read.problem}`, line.where, read.hint);
    else this.#keep({ name, value: line.value, where: line.where }, array);
  }

  /** All of it as one entry. `base`: what relative paths count from. */
  entries(base: string): Entry[] {
    const [first] = this.#lines;
    if (first === undefined) return [];
    const values = Map.groupBy(this.#lines, ({ name }) => name);
    const raw = [...values].map(([name, all]) => {
      const texts = all.map(({ value }) => value);
      return [name, texts.length > 1 ? texts : texts[0]] as const;
    });
    const placeOf = (key: string) => (values.get(directiveName(key))?.[0] ?? first).where;
    return [{ ...impliedEntry("fpm", new Map(raw), base, first.where), placeOf }];
  }

  #keep(line: Line, array: boolean): void {
    const before = array ? -1 : this.#lines.findIndex(({ name }) => name === line.name);
    if (before >= 0) this.#lines.splice(before, 1);
    // One more is enough to show that there are too many.
    if (this.#lines.length <= MOST_PAIRS) this.#lines.push(line);
  }
}

function bracketProblem({ name, key, value }: IniValueLine, array: boolean) {
  const form = array ? `${name}[]` : name;
  if (key === (array ? "" : null)) return null;
  const what = array ? "is written with empty brackets" : "takes no brackets";
  return { problem: `"${name}" ${what}`, hint: `write ${form} = ${value ?? ""}` };
}
