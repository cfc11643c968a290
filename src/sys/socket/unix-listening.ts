// Whether a Unix socket has somebody listening on it. connect(2) says ECONNREFUSED for a dead
// socket and EAGAIN for a full queue, but Bun.connect says ECONNREFUSED for both.

import { readFileSync } from "node:fs";

/** The flag __SO_ACCEPTCON in the fourth column of /proc/net/unix: the socket listens. */
const ACCEPTING = "00010000";

/** False also where /proc is missing or the socket was bound under another name. */
export function isUnixListening(path: string): boolean {
  let table: string;
  try {
    table = readFileSync("/proc/net/unix", "utf8");
  } catch {
    return false;
  }
  return table.split("\n").some((line) => {
    const columns = line.trim().split(/\s+/);
    return columns[3] === ACCEPTING && columns.slice(7).join(" ") === path;
  });
}
