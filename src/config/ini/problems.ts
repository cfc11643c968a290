// What is said of a line of an INI file whose setting is not known, is written in another shape, or is
// one that fcgivisor has not or handles otherwise.

import { iniRaw } from "./forms.ts";
import type { IniEntryLine } from "./lines.ts";
import { INI_NAMES, type IniKind, type IniName } from "./names.ts";
import type { Unlike } from "./unlike.ts";
import { nearest } from "../nearest.ts";
import type { Problems } from "../problems.ts";

/** The name as it is written: "env[PATH]". */
export function labelOf({ name, key }: { readonly name: string; readonly key: string | null }) {
  return key === null ? name : `${name}[${key}]`;
}

export function unknownName(
  problems: Problems,
  line: IniEntryLine,
  name: string,
  kind: IniKind,
): void {
  const other = kind === "pool" ? "global" : "pool";
  if (!INI_NAMES[other].has(name)) {
    const hint = () => nearestName(name, kind, other);
    return problems.error(`unknown setting "${line.name}"`, line.where, hint);
  }
  const [what, hint] =
    kind === "pool"
      ? ["belongs into [global]", "move it to the section [global]"]
      : ["belongs into a pool", "move it behind the pool's line, such as [www]"];
  problems.error(`"${line.name}" ${what}`, line.where, hint);
}

function nearestName(name: string, kind: IniKind, other: IniKind): string {
  const known = [...INI_NAMES[kind].keys()];
  const near = nearest(name, known) ?? nearest(name, [...INI_NAMES[other].keys()]);
  return near === null ? `known here: ${known.join(", ")}` : `did you mean "${near}"?`;
}

export function wrongShape(
  problems: Problems,
  { name, where }: IniEntryLine,
  value: string | null,
  known: IniName,
): void {
  const [what, hint] = known.array
    ? ["needs a name in brackets", `for example: ${name}[NAME] = ${value ?? ""}`]
    : ["takes no brackets", `write ${name} = ${value ?? ""}`];
  problems.error(`"${name}" ${what}`, where, hint);
}

export function keyIsMissing(
  problems: Problems,
  { name, where }: IniEntryLine,
  value: string | null,
): void {
  const hint = `for example: ${name}[NAME] = ${value ?? ""}`;
  problems.error(`"${name}[]" has no name in its brackets`, where, hint);
}

/** Says why what the line asks for is not done, where it asks for something. */
export function otherwise(
  problems: Problems,
  line: IniEntryLine,
  value: string,
  unlike: Unlike,
): void {
  const raw = iniRaw(unlike.form, value);
  if ("problem" in raw) problems.error(`${labelOf(line)}: ${raw.problem}`, line.where, raw.hint);
  else if (unlike.why !== null && raw.ok !== undefined && !isHarmless(unlike, raw.ok))
    problems.warn(`${labelOf(line)} ${unlike.why}`, line.where, unlike.instead);
}

function isHarmless({ harmless = [] }: Unlike, raw: unknown): boolean {
  return harmless.includes(typeof raw === "boolean" ? String(Number(raw)) : String(raw));
}
