// The configs that have served, the last ten, so that there is something to go back to: one file a config in
// the state directory (mode 0600: a config holds passwords), with the generations it was in force for. It
// outlives the supervisor's death as the state file does, and ends with it at a clean end.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/model.ts";
import { configFromJson, configToJson } from "../config/derived/wire.ts";
import type { Emit } from "../event.ts";
import { Fault } from "../fault.ts";
import { wallClock } from "../sys/clock.ts";
import { readOwnFile, writeOwnFile } from "../sys/own-file.ts";

/** A config that has served. */
export interface HistoryEntry {
  /** The first generation with it. */
  readonly since: number;
  /** The last one. */
  readonly generation: number;
  /** When the last one began to serve. */
  readonly at: string;
  /** What has put it into service: start, reload, restart, rollback. */
  readonly by: string;
  /** The file it was read from; null = the command line. */
  readonly config: string | null;
  readonly pools: number;
}

const KEPT = 10;
const NAME = /^([0-9]+)\.json$/;

export class History {
  private readonly folder: string;
  private readonly emit: Emit;
  private isFailing = false;

  constructor(stateDir: string, emit: Emit) {
    this.folder = join(stateDir, "history");
    this.emit = emit;
  }

  /** Writes down that a generation serves with this config. A full disk is told once, and stops nothing. */
  keep(config: Config, generation: number, by: string): void {
    try {
      this.write(config, generation, by);
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) this.tellFailure(error);
      this.isFailing = true;
    }
  }

  /** The newest first. */
  list(): HistoryEntry[] {
    return this.numbers().flatMap((number) => this.read(number)?.entry ?? []);
  }

  /**
   * The config of a generation; of the last one that served with another than `running` unless one is
   * named. Throws a Fault when it is not kept.
   */
  configOf(
    generation: number | null,
    running: Config,
  ): { readonly generation: number; readonly config: Config } {
    const now = JSON.stringify(configToJson(running));
    for (const number of this.numbers()) {
      const kept = this.read(number);
      if (kept === null) continue;
      const { entry, json } = kept;
      const isIt =
        generation === null
          ? json !== now
          : entry.since <= generation && generation <= entry.generation;
      if (isIt) return { generation: entry.generation, config: configFromJson(JSON.parse(json)) };
    }
    throw this.notKept(generation);
  }

  /** At a clean end; or when generations are counted from 1 again. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private write(config: Config, generation: number, by: string): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const json = JSON.stringify(configToJson(config));
    for (const number of this.numbers()) if (number >= generation) this.drop(number);
    const last = this.read(this.numbers()[0]);
    const isSame = last?.json === json;
    const entry: HistoryEntry = {
      since: isSame ? last.entry.since : generation,
      generation,
      at: wallClock().toISOString(),
      by,
      config: config.source.file,
      pools: config.pools.length,
    };
    writeOwnFile(this.path(generation), `${JSON.stringify(entry)}\n${json}\n`, 0o600);
    if (isSame) this.drop(last.entry.generation);
    for (const number of this.numbers().slice(KEPT)) this.drop(number);
  }

  private numbers(): number[] {
    try {
      const names = readdirSync(this.folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
      return names.map(Number).sort((a, b) => b - a);
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return [];
      throw error;
    }
  }

  /** null: there is none, or it is not understood. */
  private read(
    number: number | undefined,
  ): { readonly entry: HistoryEntry; readonly json: string } | null {
    const text = number === undefined ? null : readOwnFile(this.path(number));
    if (text === null) return null;
    const [first = "", json = ""] = text.split("\n");
    try {
      return { entry: JSON.parse(first) as HistoryEntry, json };
    } catch {
      return null;
    }
  }

  private path(generation: number): string {
    return join(this.folder, `${generation}.json`);
  }

  private drop(generation: number): void {
    rmSync(this.path(generation), { force: true });
  }

  private notKept(generation: number | null): Fault {
    const kept = this.list().map(({ since, generation: last }) =>
      since === last ? String(last) : `${since} to ${last}`,
    );
    return new Fault(
      generation === null
        ? "no other config than the one that runs has served since the start"
        : `the config of generation ${generation} is not kept`,
      { where: this.folder, hint: `there are those of generation ${kept.join(", ")}` },
    );
  }

  private tellFailure(error: unknown): void {
    const fault = new Fault("cannot keep the config for `rollback`", {
      where: this.folder,
      hint: "make room or give the right to write there; the service goes on",
      cause: error,
    });
    this.emit({ type: "trouble", fault: fault.toJSON() });
  }
}
