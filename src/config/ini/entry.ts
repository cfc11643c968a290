// The fourth step: one scalar of an INI file as an entry of the settings table, in the words of the
// table: php-fpm reads some of its own in any case, and has names of its own for a few places.

import { resolve } from "node:path";
import type { Place } from "../../fault.ts";
import type { Entry } from "../draft.ts";
import { iniRaw } from "./forms.ts";
import type { IniName } from "./names.ts";
import type { Problems } from "../problems.ts";
import { valueProblem } from "../settings/section.ts";
import type { Rows } from "../settings/setting.ts";
import { SECTIONS } from "../settings/settings.ts";

export interface IniScalar {
  /** "pm.max_children", in the case of the table. */
  readonly name: string;
  /** As written. */
  readonly label: string;
  readonly known: IniName;
  readonly value: string;
  readonly where: Place;
}

export function iniEntry(scalar: IniScalar, base: string): Entry {
  const { name, label, known, value, where } = scalar;
  const raw = iniRaw(known.form, value);
  const own = known.setting?.name ?? name;
  return "ok" in raw
    ? { name: own, label, where, base, raw: inTheTable(own, raw.ok, base) }
    : { name: own, label, where, base, raw: value, problem: raw };
}

/** A text that is empty is as good as not given. */
export function isUnset({ known, value }: IniScalar): boolean {
  const raw = iniRaw(known.form, value);
  return "ok" in raw && raw.ok === undefined;
}

/** Says what is wrong with a value that a later one replaces. */
export function checkReplaced(problems: Problems, scalar: IniScalar, base: string): void {
  const { setting } = scalar.known;
  if (setting === null || isUnset(scalar)) return;
  const row = (SECTIONS[setting.section] as Rows)[setting.name]!;
  const entry = iniEntry(scalar, base);
  const parsed = entry.problem ?? row.type.parse(entry.raw, base);
  if ("problem" in parsed) valueProblem(problems, "php-fpm-ini", row, entry, parsed);
}

const LEVELS = new Map([["warning", "warn"]]);
/** What containers' configs call it. */
const STDERR = /^\/(dev\/stderr|dev\/fd\/2|proc\/self\/fd\/2)$/;

function inTheTable(name: string, raw: unknown, base: string): unknown {
  if (typeof raw !== "string") return raw;
  switch (name) {
    case "scaling":
      return raw.toLowerCase();
    case "level":
      return LEVELS.get(raw.toLowerCase()) ?? raw.toLowerCase();
    case "file":
      return raw === "syslog" || STDERR.test(raw) ? "stderr" : resolve(base, raw);
    default:
      // `$prefix` counts at the beginning only.
      return /^\$prefix(\/|$)/.test(raw) ? raw.replace("$prefix", () => base) : raw;
  }
}
