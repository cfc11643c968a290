// `fcgivisor trace --top`: adds up the stacks that the supervisor samples, and shows where the time goes.
// Ctrl-C ends the sampling early and shows what there is.

import type { AdminClient } from "../../admin/client.ts";
import { duration } from "../../config/settings/durations.ts";
import { Interrupts } from "../bench/interrupts.ts";
import { print, printError, printJson } from "../print.ts";
import { printData } from "../print-data.ts";
import { usageFault } from "../usage.ts";
import { foldedText } from "./folded.ts";
import { ProfileSum } from "./profile-sum.ts";
import { topText } from "./top-text.ts";

interface TopOptions {
  readonly for: string | undefined;
  readonly flame: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

export async function top(
  client: AdminClient,
  choice: URLSearchParams,
  options: TopOptions,
): Promise<number> {
  const seconds = String(secondsOf(options.for ?? "10s"));
  const sum = new ProfileSum();
  const batches = client.profile(new URLSearchParams([...choice, ["seconds", seconds]]));
  const interrupted = Promise.withResolvers<IteratorReturnResult<void>>();
  const interrupts = new Interrupts(() => interrupted.resolve({ done: true, value: undefined }));
  try {
    for (;;) {
      const next = await Promise.race([batches.next(), interrupted.promise]);
      if (next.done) break;
      sum.add(next.value);
    }
  } finally {
    interrupts.off();
  }
  show(sum, options);
  return 0;
}

function show(sum: ProfileSum, { flame, json, quiet }: TopOptions): void {
  if (json) printJson(sum.result());
  else if (flame) {
    printData(foldedText(sum.result()));
    if (sum.result().samples === 0) printError("no worker ran any PHP code meanwhile\n");
  } else if (!quiet) print(`${topText(sum.result())}\n`);
}

const LONGEST_SECONDS = 600;

function secondsOf(text: string): number {
  const parsed = duration("100ms").parse(text, "");
  if (!("ok" in parsed)) throw usageFault(`--for: ${parsed.problem}`, "trace");
  const seconds = parsed.ok / 1000;
  if (seconds <= LONGEST_SECONDS) return seconds;
  throw usageFault(`--for: "${text}" is too long: at most ${LONGEST_SECONDS / 60}m`, "trace");
}
