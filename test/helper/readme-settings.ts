// The README's tables of settings, made from the settings table by what also makes the manual's. Run as
// a program (`bun test/helper/readme-settings.ts`) it writes them; readme.test.ts says when that is due.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withSettings } from "../../src/cli/help/settings.ts";

export const README = join(import.meta.dir, "../../README.md");
const BEGIN = "<!-- settings:begin -->";
const END = "<!-- settings:end -->";

const TEMPLATE = `### [supervisor]

<!-- settings supervisor -->

### [admin]: the control socket

<!-- settings admin -->

### [log]

<!-- settings log -->

### [metrics]: a listener on which one can look

<!-- settings metrics -->

### [pools.NAME]

<!-- settings pool -->
`;

/** What should stand between the marks. */
export function settingsBlock(): string {
  return `\n\n${withSettings(TEMPLATE)}\n`;
}

/** What stands between the marks. Throws when there are none. */
export function blockIn(text: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`there is no ${BEGIN} … ${END}`);
  return text.slice(begin + BEGIN.length, end);
}

if (import.meta.main) {
  const text = readFileSync(README, "utf8");
  const old = `${BEGIN}${blockIn(text)}${END}`;
  writeFileSync(
    README,
    text.replace(old, () => `${BEGIN}${settingsBlock()}${END}`),
  );
}
