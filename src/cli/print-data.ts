// What is printed as it is into a file or a pipe, and as a text for people on a terminal. Apart from print.ts,
// because it takes the C library to tell a terminal, and not every command needs to.

import { isTerminal, STDOUT } from "../sys/terminal.ts";
import { print, printAsItIs } from "./print.ts";

/** Prints what is to be stored or piped; false and Faults as `print` has them. */
export function printData(data: string | Uint8Array): boolean {
  if (!isTerminal(STDOUT)) return printAsItIs(data);
  return print(typeof data === "string" ? data : new TextDecoder().decode(data));
}
