// What a command of a contender came to, in few words.

import type { Outcome } from "../helper/program.ts";
import type { Answer } from "./contender.ts";

export function answerOf({ code, stdout, stderr }: Outcome): Answer {
  const lines = `${stderr}\n${stdout}`.split("\n").map((line) => line.trim());
  return { code, words: lines.find((line) => line !== "") ?? "" };
}
