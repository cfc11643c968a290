// Who asked for what over the control socket, and what came of it: one event for each word.

import type { Emit } from "../event.ts";
import { now } from "../sys/clock.ts";
import type { Peer } from "../sys/socket/peer.ts";
import type { Operation, OperationOptions } from "./contract.ts";

export type WordResult = "done" | "failed" | "refused";

/** Begins with a word; the returned function ends it, `detail` being its options or why it came to nothing. */
export function auditOf(
  { emit }: { readonly emit: Emit },
  operation: Operation,
  peer: Peer | null,
): (result: WordResult, detail: string) => void {
  const since = now();
  const { uid = null, user = null, pid = null, command = null } = peer ?? {};
  return (result, detail) =>
    emit({
      type: "control-word",
      operation,
      uid,
      user,
      pid,
      command,
      result,
      ms: now() - since,
      detail,
    });
}

/** The asker in a few words: `root, uid 0, process 123 curl`. */
export function personText(peer: Peer | null): string {
  if (peer === null) return "an unknown process";
  const { user, uid, pid, command } = peer;
  return `${user}, uid ${uid}, process ${pid}${command === null ? "" : ` ${command}`}`;
}

/** What the word was told; "" for nothing. */
export function optionsText({ id: _, ...options }: OperationOptions): string {
  return Object.entries(options)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(", ") : String(value)}`)
    .join("; ");
}
