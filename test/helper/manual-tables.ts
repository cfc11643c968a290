// The tables of settings in the manual's pages, made from the settings table itself, so that no setting is
// missing there and no default is wrong. A page has each between two marks, `<!-- settings pool -->` and
// `<!-- end -->`. Run as a program (`bun test/helper/manual-tables.ts`) this writes them; help.test.ts says
// when that is due.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HANDED_ON, POOL_DIRECTIVES } from "../../src/config/php-fpm/directives.ts";
import { DIFFERENCES } from "../../src/config/ini/differences.ts";
import {
  defaultFor,
  REQUIRED,
  type Rows,
  type Setting,
} from "../../src/config/settings/setting.ts";
import { SECTIONS } from "../../src/config/settings/settings.ts";

export const MANUAL = join(import.meta.dir, "../../src/help");

const MARKS = /^<!-- settings ([\w-]+) -->\n[^]*?^<!-- end -->$/gm;

/** The page with its tables as they should be. */
export function withTables(page: string): string {
  return page.replace(
    MARKS,
    (_, name: string) =>
      `<!-- settings ${name} -->\n<!-- prettier-ignore -->\n${table(name)}\n\n<!-- end -->`,
  );
}

function table(name: string): string {
  if (name === "legacy") return markdown(["legacy name", "TOML", "default there"], legacyRows());
  if (name === "php-fpm") return markdown(["php-fpm.conf", "TOML", "default there"], fpmRows());
  if (name === "handed-on") return markdown(["php-fpm.conf", "PHP"], handedOnRows());
  if (name === "unlike") return markdown(["php-fpm.conf", "here", "instead"], unlikeRows());
  const section = Object.entries(SECTIONS).find(([key]) => key === name);
  if (section === undefined) throw new Error(`the manual asks for the settings of "${name}"`);
  return markdown(["setting", "default", "meaning"], settingRows(section[1] as Rows));
}

type Cells = readonly string[];

function settingRows(rows: Rows): Cells[] {
  return Object.entries(rows).map(([name, row]) => [code(name), defaultText(row), row.doc]);
}

function legacyRows(): Cells[] {
  return Object.entries(SECTIONS).flatMap(([section, rows]) =>
    Object.entries(rows as Rows)
      .filter(([, row]) => row.legacy !== undefined)
      .map(([name, row]) => [
        code(row.legacy!),
        code(section === "pool" ? name : `${section}.${name}`),
        defaultText({ ...row, default: row.legacyDefault ?? row.default }),
      ]),
  );
}

/** Have a default here, and none in php-fpm. */
const FPM_REQUIRED = ["scaling", "workers"];

function fpmRows(): Cells[] {
  return Object.entries(SECTIONS).flatMap(([section, rows]) =>
    Object.entries(rows as Rows)
      .filter(([, row]) => row.fpm !== undefined)
      .map(([name, row]) => [
        code(row.fpm!.replace("pool/", "").replace("global/", "[global] ")),
        code(section === "pool" ? name : `${section}.${name}`),
        FPM_REQUIRED.includes(name)
          ? "required"
          : defaultText({ ...row, default: defaultFor(row, "php-fpm-ini") }),
      ]),
  );
}

function handedOnRows(): Cells[] {
  return HANDED_ON.map((name) => {
    const { form, since } = POOL_DIRECTIVES.get(name)!;
    return [code(form === "paths" ? `${name}[]` : name), since === null ? "all" : `${since} on`];
  });
}

function unlikeRows(): Cells[] {
  return Object.entries(DIFFERENCES)
    .filter(([, { why }]) => why !== null)
    .map(([path, { why, instead }]) => [
      code(path.split("/")[1]!),
      why!,
      (instead ?? "").replaceAll("|", "\\|"),
    ]);
}

function defaultText(row: Setting<never, unknown>): string {
  if (row.default === REQUIRED) return "required";
  return row.default === null ? "" : code(row.type.print(row.default));
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Columns are padded, all but the last, so that the table reads well raw. */
function markdown(head: Cells, rows: readonly Cells[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]!.length)));
  const last = head.length - 1;
  const line = (cells: Cells) =>
    `| ${cells.map((cell, i) => (i === last ? cell : cell.padEnd(widths[i]!))).join(" | ")} |`;
  const rule = head.map((word, i) => "-".repeat(i === last ? word.length : widths[i]!));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

if (import.meta.main) {
  for (const name of readdirSync(MANUAL)) {
    const page = join(MANUAL, name);
    writeFileSync(page, withTables(readFileSync(page, "utf8")));
  }
}
