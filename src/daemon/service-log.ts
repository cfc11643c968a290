// The log of a supervising process: which file it goes to, and the change to another one when a reload
// has changed the settings. In the background stderr is no place for it: it goes to the state directory.

import { join } from "node:path";
import type { Loaded } from "../config/load.ts";
import type { Config, LogConfig } from "../config/model.ts";
import type { EventRecord, OutputLine } from "../event.ts";
import { Log } from "../log/logger.ts";
import { RecentLog } from "../log/recent.ts";
import type { LogPort } from "../supervisor/supervisor-options.ts";

export class ServiceLog implements LogPort {
  private readonly background: boolean;
  private settings: LogConfig;
  private log: Log;
  readonly recent: RecentLog;

  /**
   * Opens it. Throws the Fault that says why it cannot be opened. `before`: what the program before an upgrade
   * had of the recent lines.
   */
  constructor(config: Config, background: boolean, before?: unknown) {
    this.background = background;
    this.recent = new RecentLog(before);
    this.settings = settingsOf(config, background);
    this.log = new Log(this.settings);
  }

  readonly record = (record: EventRecord): void => {
    this.log.record(record);
    this.recent.record(record);
  };
  readonly output = (line: OutputLine): void => {
    this.log.output(line);
    this.recent.output(line);
  };

  get file(): string | null {
    return this.settings.file;
  }

  readonly reopen = (loaded?: Loaded): readonly string[] => {
    const next = loaded === undefined ? this.settings : settingsOf(loaded.config, this.background);
    if (JSON.stringify(next) === JSON.stringify(this.settings)) return this.log.reopen();
    const old = this.log;
    this.log = new Log(next);
    this.settings = next;
    old.close();
    return next.file === null ? [] : [next.file];
  };

  close(): void {
    this.log.close();
  }
}

function settingsOf({ log, supervisor }: Config, background: boolean): LogConfig {
  if (log.file !== null || !background) return log;
  return { ...log, file: join(supervisor.stateDir, "fcgivisor.log") };
}
