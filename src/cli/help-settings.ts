// The tables of settings in the manual, made from the settings table itself, so that no setting is
// missing there and no default is wrong. A page says where one belongs by a line of its own:
// `<!-- settings pool -->`.

import { REQUIRED, type Rows, type Setting } from "../config/setting.ts";
import { SECTIONS } from "../config/settings.ts";

const MARK = /^<!-- settings (\w+) -->$/gm;

/** The page with its tables filled in. */
export function withSettings(page: string): string {
  return page.replace(MARK, (_, name: string) => table(name));
}

function table(name: string): string {
  if (name === "legacy") return markdown(["legacy name", "TOML", "default there"], legacyRows());
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
