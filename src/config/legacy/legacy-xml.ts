// Reads a php-fpm 0.5 or 0.6 config into a draft.

import { dirname } from "node:path";
import type { Environment } from "../default-places.ts";
import type { Draft, Entry, PoolDraft } from "../draft.ts";
import { apacheLikeNotes } from "./apache.ts";
import { LEGACY_NAMES, type LegacySection } from "./names.ts";
import { LEGACY_WORDING, lastOf, legacyEntry, poolEntries } from "./pool.ts";
import { legacyValues, type LegacyReading, type LegacyValue } from "./section.ts";
import { findSections } from "./sections.ts";
import { legacyText } from "./text.ts";
import { checkPoolCount } from "../rules/pool-count.ts";
import type { Problems, Where } from "../problems.ts";
import { placesIn } from "../place.ts";
import {
  besidePidFile,
  installPrefix,
  impliedEntry,
  phpCgiIn,
  phpProgram,
} from "../php-fpm/implied.ts";
import { findOnPath, findPhpFpm, isPhpFpmName, PHP_FPM_NAMES } from "../php-fpm/program.ts";
import { uniqueNames } from "../php-fpm/unique-names.ts";
import { readXml, type XmlElement } from "./xml.ts";

export interface LegacyOptions {
  /** What relative paths are relative to. */
  readonly prefix?: string;
  /** As of --php: the php-fpm or php-cgi that the pools run. */
  readonly php?: string;
  readonly env: Environment;
}

/** Throws a Fault when the file is not well-formed; all else that is wrong goes to `problems`. */
export function readLegacyXml(
  file: string,
  bytes: Uint8Array,
  options: LegacyOptions,
  problems: Problems,
): Draft {
  const text = legacyText(file, bytes);
  const root = readXml(file, text);
  const reading: LegacyReading = { problems, wording: LEGACY_WORDING, place: placesIn(file, text) };
  // What PHP is built for unless told otherwise.
  const system = dirname(file) === "/etc" ? "/usr/local" : null;
  const prefix = installPrefix(file, options.prefix, system);
  const sections = findSections(reading, root);
  checkPoolCount(sections.pools.length, file);
  const globals = sections.globals.flatMap((s) => legacyValues(reading, s, "global_options"));
  const supervisor = entriesFor("supervisor", globals, prefix);
  return {
    source: { format: "legacy-xml", file, files: [file], prefix },
    supervisor: [...supervisor, ...besidePidFile(supervisor, "state_dir", ".state")],
    admin: besidePidFile(supervisor, "socket", ".sock"),
    log: logEntries(globals, prefix),
    pools: poolsOf(reading, sections.pools, globals, program(options, prefix), prefix),
    daemonize: daemonizeOf(reading, globals, prefix),
  };
}

/** php-cgi, which the format was made for; a php-fpm where it is asked for, or is all there is. */
function program({ php, env }: LegacyOptions, prefix: string): Entry[] {
  const cgi = php ?? phpCgiIn(prefix);
  if (isPhpFpmName(cgi)) return phpProgram(findPhpFpm([cgi], env) ?? cgi, "php-fpm", prefix);
  const fpm =
    php === undefined && findOnPath(cgi, env) === null ? findPhpFpm(PHP_FPM_NAMES, env) : null;
  return fpm === null ? phpProgram(cgi, "php-cgi", prefix) : phpProgram(fpm, "php-fpm", prefix);
}

function entriesFor(section: LegacySection, values: readonly LegacyValue[], prefix: string) {
  return values
    .filter(({ path }) => LEGACY_NAMES.get(path)?.setting?.section === section)
    .map((value) => legacyEntry(value, prefix));
}

function logEntries(globals: readonly LegacyValue[], prefix: string): Entry[] {
  const entries = entriesFor("log", globals, prefix).map((entry) =>
    entry.name === "file" && entry.raw === "stderr" ? { ...entry, raw: "./stderr" } : entry,
  );
  if (lastOf(globals, "global_options/error_log") !== undefined) return entries;
  return [...entries, impliedEntry("file", "logs/php-fpm.log", prefix)];
}

function daemonizeOf(
  reading: LegacyReading,
  globals: readonly LegacyValue[],
  prefix: string,
): boolean {
  let daemonize = false;
  for (const value of globals.filter(({ path }) => path === "global_options/daemonize")) {
    const { raw, problem } = legacyEntry(value, prefix);
    if (problem) reading.problems.error(`daemonize: ${problem.problem}`, value.where, problem.hint);
    else daemonize = raw === true;
  }
  return daemonize;
}

function poolsOf(
  reading: LegacyReading,
  sections: readonly XmlElement[],
  globals: readonly LegacyValue[],
  php: readonly Entry[],
  prefix: string,
): PoolDraft[] {
  const all = sections.map((section) => ({
    values: legacyValues(reading, section, "pool"),
    where: reading.place(section.at),
  }));
  const read = withoutTemplates(reading, all);
  const shared = [...entriesFor("pool", globals, prefix), ...php];
  const wanted = read.map(({ values, where }) => {
    const name = lastOf(values, "pool/name");
    return { name: name?.text ?? "default", where: name?.where ?? where };
  });
  const names = uniqueNames(wanted, reading.problems);
  return read.map(({ values, where }, i) => {
    const name = names[i]!;
    const entries = poolEntries(reading, name, where, values, prefix);
    return { name, where, entries: [...shared, ...entries], notes: apacheLikeNotes(values) };
  });
}

interface ReadSection {
  readonly values: readonly LegacyValue[];
  readonly where: Where;
}

// php-fpm ran workers for them all the same, which nobody could reach. If all are such, each is told
// what it misses.
function withoutTemplates(
  reading: LegacyReading,
  all: readonly ReadSection[],
): readonly ReadSection[] {
  const isTemplate = ({ values }: ReadSection) =>
    lastOf(values, "pool/listen_address") === undefined;
  if (all.every(isTemplate)) return all;
  for (const { values, where } of all.filter(isTemplate)) {
    const name = lastOf(values, "pool/name")?.text ?? "default";
    reading.problems.warn(
      `the pool "${name}" has no listen_address and is left out: nobody could reach it`,
      where,
      'for example: <value name="listen_address">127.0.0.1:9000</value>',
    );
  }
  return all.filter((section) => !isTemplate(section));
}
