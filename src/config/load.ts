// The one way to a Config: read the file, tell its format, read all of it, check all of it. Nothing
// outside the config's files is touched, so a broken config costs nobody anything.

import { dirname, resolve } from "node:path";
import { asFault, type Fault } from "../fault.ts";
import type { Environment } from "./default-places.ts";
import type { Draft } from "./draft.ts";
import { formatOf } from "./format.ts";
import type { Config } from "./model.ts";
import { collectProblems, summary, type Problems } from "./problems.ts";
import { resolveDraft, type Surroundings } from "./resolve.ts";
import { readSource } from "./source.ts";

export { configPath, defaultStateDir } from "./default-places.ts";

export interface LoadOptions {
  readonly file: string;
  /** What relative paths of a legacy file are relative to. */
  readonly prefix?: string;
  readonly env: Environment;
  readonly uid: number;
  readonly stateDirDefault: string;
}

export interface Loaded {
  readonly config: Config;
  readonly warnings: readonly Fault[];
  /** "pools.www.workers" to "FILE:LINE", or "default". */
  readonly origins: ReadonlyMap<string, string>;
}

/** Reads and checks a config. Throws one Fault whose parts are all that is wrong with it. */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const file = resolve(options.file);
  const problems = collectProblems();
  const draft = await draftOf(file, options, problems).catch((error: unknown) => {
    throw summary([...problems.errors, asFault(error)], file);
  });
  return finish(draft, options, problems, file);
}

/** The last step for every format: resolve, then either all errors at once or the config. */
export function finish(
  draft: Draft,
  surroundings: Surroundings,
  problems: Problems,
  where: string,
): Loaded {
  const origins = new Map<string, string>();
  const config = resolveDraft(draft, surroundings, problems, origins);
  if (problems.errors.length > 0) throw summary(problems.errors, where);
  return { config, warnings: problems.warnings, origins };
}

async function draftOf(file: string, options: LoadOptions, problems: Problems): Promise<Draft> {
  const bytes = await readSource(file);
  return formatOf(file, bytes) === "toml"
    ? tomlDraft(file, bytes, problems)
    : legacyDraft(file, bytes, options, problems);
}

async function tomlDraft(file: string, bytes: Uint8Array, problems: Problems): Promise<Draft> {
  const { readToml } = await import("./toml.ts");
  const { withIncluded } = await import("./include.ts");
  const main = readToml(file, bytes, problems);
  const { files, pools } = await withIncluded(file, main, problems);
  const source = { format: "toml", file, files, prefix: dirname(file) } as const;
  return { source, ...main.sections, pools, daemonize: null };
}

async function legacyDraft(
  file: string,
  bytes: Uint8Array,
  options: LoadOptions,
  problems: Problems,
): Promise<Draft> {
  const { readLegacyXml } = await import("./legacy-xml.ts");
  return readLegacyXml(file, bytes, options.prefix, problems);
}
