// The tables of settings in the manual, made from the settings table itself, so that no setting is
// missing there and no default is wrong. A page says where one belongs by a line of its own:
// `<!-- settings pool -->`.

import { HANDED_ON, POOL_DIRECTIVES } from "../../config/php-fpm/directives.ts";
import { DIFFERENCES } from "../../config/ini/differences.ts";
import { defaultFor, REQUIRED, type Rows, type Setting } from "../../config/settings/setting.ts";
import { SECTIONS } from "../../config/settings/settings.ts";

const MARK = /^<!-- settings ([\w-]+) -->$/gm;

/** The page with its tables filled in. */
export function withSettings(page: string): string {
  return page.replace(MARK, (_, name: string) => table(name));
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

const HEADINGS: Readonly<Record<keyof typeof SECTIONS, string>> = {
  supervisor: "[supervisor]",
  admin: "[admin]: the control socket",
  log: "[log]",
  pool: "[pools.NAME]",
};

/** The settings of the README, which stand there between two marks; a test keeps them the same. */
export function readmeSettings(): string {
  return Object.entries(HEADINGS)
    .map(([section, heading]) => `### ${heading}\n\n${table(section)}`)
    .join("\n\n");
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
