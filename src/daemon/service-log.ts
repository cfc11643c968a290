// The log of a supervising process: which file it goes to, and the change to another one when a reload
// has changed the settings; and the slow logs of its pools. In the background stderr is no place for it: it goes to the state directory.

import { join } from "node:path";
import type { Loaded } from "../config/load.ts";
import type { Config, LogConfig } from "../config/model.ts";
import type { EventRecord, OutputLine } from "../event.ts";
import { Log } from "../log/logger.ts";
import { RecentLog } from "../log/recent.ts";
import { SlowLogs } from "../log/slow-log.ts";
import { wallClock } from "../sys/clock.ts";
import type { LogPort } from "../supervisor/supervisor-options.ts";

export class ServiceLog implements LogPort {
  private readonly background: boolean;
  private settings: LogConfig;
  private log: Log;
  private readonly slowLogs = new SlowLogs();
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
    try {
      this.slowLogs.keep(slowLogsOf(config));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  readonly record = ({ event, ...record }: EventRecord): void => {
    const whole = { ...record, event: this.slowLogs.written(record.time, event) };
    this.log.record(whole);
    this.recent.record(whole);
  };
  readonly output = (line: OutputLine): void => {
    const time = wallClock();
    this.log.output(line, time);
    this.recent.output(line, time);
  };

  get file(): string | null {
    return this.settings.file;
  }

  readonly reopen = (loaded?: Loaded): readonly string[] => {
    const next = loaded === undefined ? this.settings : settingsOf(loaded.config, this.background);
    const slow =
      loaded === undefined ? this.slowLogs.reopen() : this.slowLogs.keep(slowLogsOf(loaded.config));
    if (JSON.stringify(next) === JSON.stringify(this.settings))
      return [...this.log.reopen(), ...slow];
    const old = this.log;
    this.log = new Log(next);
    this.settings = next;
    old.close();
    return [...(next.file === null ? [] : [next.file]), ...slow];
  };

  close(): void {
    this.log.close();
    this.slowLogs.close();
  }
}

function slowLogsOf({ pools }: Config): string[] {
  return pools.map(({ slowLog }) => slowLog).filter((path) => path !== null);
}

function settingsOf({ log, supervisor }: Config, background: boolean): LogConfig {
  if (log.file !== null || !background) return log;
  return { ...log, file: join(supervisor.stateDir, "fcgivisor.log") };
}
