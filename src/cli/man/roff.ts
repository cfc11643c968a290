// The marks of man(7) that the page needs. Pure.

import { wrapped } from "../usage.ts";

/** Lines of the source that are longer are hard to look at, as mandoc says. */
const WIDTH = 72;

/** A text as it is, whatever is in it, in short lines. */
export function filled(text: string): string {
  return wrapped(marked(text), WIDTH).map(noRequest).join("\n");
}

/** The same in one line. */
export function plain(text: string): string {
  return noRequest(marked(text));
}

function marked(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll(/`([^`]*)`/g, (_, code: string) => `\\fB${code}\\fP`);
}

/** A line that begins with one of these would be a request. */
function noRequest(line: string): string {
  return line.replace(/^[.']/, "\\&$&");
}

export function section(title: string, ...parts: readonly string[]): string {
  return [`.SH ${title.toUpperCase()}`, ...parts].join("\n");
}

/** The title is an argument of a macro: a quote in it is written twice. */
export function subsection(title: string, ...parts: readonly string[]): string {
  return [`.SS "${plain(title).replaceAll('"', '""')}"`, ...parts].join("\n");
}

/** Each name with its meaning below it, indented. */
export function definitions(rows: readonly (readonly [name: string, meaning: string])[]): string {
  return rows
    .map(([name, meaning]) => `.TP\n\\fB${plain(name)}\\fP\n${filled(meaning)}`)
    .join("\n");
}

export function paragraphs(...texts: readonly string[]): string {
  return texts.map(filled).join("\n.PP\n");
}
