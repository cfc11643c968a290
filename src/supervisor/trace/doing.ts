// What a worker is doing at the moment, in one line: its function, the place in the code, and what it waits for. Pure;
// what it says comes from a worker, so whoever prints it escapes it.

import { basename } from "node:path";
import { callText, placeText } from "../../observe/stack-text.ts";
import type { WorkerTrace } from "./trace.ts";

/** `fread() at orders.php:12, reading from 10.0.0.5:3306 (recvfrom)`; "" where nothing can be told. */
export function doingText({ stack, waiting }: Pick<WorkerTrace, "stack" | "waiting">): string {
  const [top] = stack.frames;
  // A function that is part of PHP has no place: that of its caller tells more.
  const place = stack.frames.find(({ file }) => file !== null);
  const at = place === undefined ? "" : ` at ${basename(placeText(place))}`;
  const parts = [top === undefined ? "" : `${callText(top)}${at}`, waiting?.text ?? ""];
  return parts.filter((part) => part !== "").join(", ");
}
