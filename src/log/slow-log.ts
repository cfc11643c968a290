// The files that tell of slow requests, one for each path that pools name. They are held open from the start,
// as the log is, and are reopened with it.

import type { Event, LongRequest } from "../event.ts";
import { escapeControls } from "./escape.ts";
import { LogFile } from "./file.ts";
import { timestamp } from "./record.ts";
import { elapsed } from "./words.ts";

export class SlowLogs {
  private readonly files = new Map<string, LogFile>();

  /** Has just these open, anew where they are open already; returns their paths. Throws a Fault for one that cannot be. */
  keep(paths: readonly string[]): string[] {
    const wanted = new Set(paths);
    for (const path of wanted) this.files.get(path)?.reopen() ?? this.open(path);
    for (const [path, file] of this.files) {
      if (wanted.has(path)) continue;
      this.files.delete(path);
      file.close();
    }
    return [...wanted];
  }

  /** Reopens each. Throws a Fault when one cannot be opened, and then goes on with the old one. */
  reopen(): string[] {
    return [...this.files.values()].flatMap((file) => file.reopen());
  }

  /**
   * Writes an event that is for one of them; gives back what is for the log: where the file cannot be written,
   * all of it. Never throws.
   */
  written(time: Date, event: Event): Event {
    if (event.type !== "request-slow" && event.type !== "request-timeout") return event;
    const { slowLog } = event;
    if (slowLog === null) return event;
    try {
      // A reload of one pool alone may have named a new one.
      (this.files.get(slowLog) ?? this.open(slowLog)).write(slowRecord(time, event));
      return event;
    } catch {
      return { ...event, slowLog: null };
    }
  }

  close(): void {
    for (const file of this.files.values()) file.close();
    this.files.clear();
  }

  private open(path: string): LogFile {
    const file = LogFile.open(path, lostRecord);
    this.files.set(path, file);
    return file;
  }
}

const LIMITS = { "request-slow": "slow_timeout", "request-timeout": "request_timeout" } as const;

type LongEvent = LongRequest & { readonly type: keyof typeof LIMITS };

/** As php-fpm's: a line of who and when, what is known of the request, the stack, and an empty line. */
export function slowRecord(time: Date, event: LongEvent): string {
  const { type, pool, pid, ageMs, limitMs, method, uri, script, waiting, cpuMs, stack } = event;
  const ended = type === "request-timeout" ? ", and is ended" : "";
  const lines = [
    `[${timestamp(time)}] [pool ${pool}] pid ${pid}`,
    ...(uri === "" ? [] : [`request = ${method} ${uri}`]),
    ...(script === "" ? [] : [`script_filename = ${script}`]),
    `duration = ${elapsed(ageMs)} (${LIMITS[type]} is ${elapsed(limitMs)}${ended})`,
    `waiting = ${waiting}`,
    ...(cpuMs === null ? [] : [`cpu = ${elapsed(cpuMs)}`]),
    ...stack,
  ];
  return `${lines.map(escapeControls).join("\n")}\n\n`;
}

function lostRecord(lines: number, why: string): string {
  return `(${lines} ${lines === 1 ? "entry was" : "entries were"} lost: ${why})\n\n`;
}
