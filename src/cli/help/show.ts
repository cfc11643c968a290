// How a page of the manual gets to its reader: through a pager on a terminal, else as it is.

import { isTerminal, STDOUT } from "../../sys/terminal.ts";
import { print } from "../print.ts";

const USUAL_PAGER = "less";

/** `$PAGER` as man and git take it: less where it is not set; an empty one and cat are none. */
export async function show(text: string): Promise<void> {
  if (isTerminal(STDOUT)) {
    const { isInstalled, page } = await import("../../sys/exec/pager.ts");
    const named = process.env["PAGER"];
    const pager = named ?? (isInstalled(USUAL_PAGER) ? USUAL_PAGER : "");
    if (pager !== "" && pager !== "cat" && (await page(pager, text))) return;
  }
  print(text);
}
