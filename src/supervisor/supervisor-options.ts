// What a supervisor is given by the process that it lives in.

import type { Loaded } from "../config/load.ts";
import type { Emit, OutputLine } from "../event.ts";
import type { RecentLog } from "../log/recent.ts";
import type { InheritedSockets } from "../socket/inherited.ts";
import type { Handover } from "../sys/exec/handover.ts";

/** The log as the supervisor needs it: it may change its files. */
export interface LogPort {
  /** Its last lines. */
  readonly recent: RecentLog;
  readonly output: (line: OutputLine) => void;
  /** Where it goes now; null = stderr. */
  readonly file: string | null;
  /** Reopens every file, after the settings given; returns their paths. */
  readonly reopen: (loaded?: Loaded) => readonly string[];
}

export interface SupervisorOptions {
  readonly version: string;
  readonly loaded: Loaded;
  readonly emit: Emit;
  readonly log: LogPort;
  /** Reads the config once more, or another file. */
  readonly load: (file?: string) => Promise<Loaded>;
  readonly inherited: InheritedSockets;
  /** A service manager has copies of the sockets. */
  readonly socketsAreStored: boolean;
  /** Take sockets over from whoever listens on the pools' addresses, when no state file tells who that is. */
  readonly takeover: boolean;
  /** Start with the pools that come up, and go on trying the others. */
  readonly keepGoing: boolean;
  /** What the program before this one handed over, after an upgrade. */
  readonly handover: Handover | null;
  /** The descriptor of the lock on the state directory. */
  readonly lock: number;
}
