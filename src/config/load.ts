// The one way to a Config: read the file, tell its format, read all of it, check all of it. Nothing
// outside the config's files is touched, so a broken config costs nobody anything.

import { dirname, resolve } from "node:path";
import { asFault, Fault } from "../fault.ts";
import type { Environment } from "./default-places.ts";
import type { Draft } from "./draft.ts";
import { formatOf } from "./format.ts";
import { finish, type Loaded } from "./finish.ts";
import { withOverrides, type Overrides } from "./overrides.ts";
import { collectProblems, summary, type Problems } from "./problems.ts";
import { readSource } from "./source.ts";

export { configFromCommandLine, type CommandLineOptions } from "./command-line.ts";
export type { Loaded } from "./finish.ts";
export { configPath, defaultStateDir } from "./default-places.ts";

export interface LoadOptions {
  readonly file: string;
  /** What relative paths of a legacy file are relative to. */
  readonly prefix?: string;
  /** The php-fpm or php-cgi, as a name or path, that pools of a php-fpm config run; what fits the config unless given. */
  readonly php?: string;
  readonly env: Environment;
  /** Who is going to run it; null when nobody is (`convert`). */
  readonly uid: number | null;
  readonly stateDirDefault: string;
  /** What the command line says otherwise than the file. */
  readonly overrides?: Overrides;
}

/** Reads and checks a config. Throws one Fault whose parts are all that is wrong with it. */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const file = resolve(options.file);
  const problems = collectProblems();
  const draft = await draftOf(file, options, problems).catch((error: unknown) => {
    throw summary(problems, file, asFault(error));
  });
  const changed = withOverrides(draft, options.overrides ?? {}, process.cwd());
  return finish(changed, options, problems, file);
}

async function draftOf(file: string, options: LoadOptions, problems: Problems): Promise<Draft> {
  const bytes = await readSource(file);
  switch (formatOf(file, bytes)) {
    case "toml":
      if (options.php !== undefined) throw phpForToml(options.php, file);
      return tomlDraft(file, bytes, problems);
    case "legacy-xml":
      return legacyDraft(file, bytes, options, problems);
    case "php-fpm-ini": {
      const { readPhpFpmIni } = await import("./ini/php-fpm-ini.ts");
      return withHosts(await readPhpFpmIni(file, bytes, options, problems), problems);
    }
  }
}

function phpForToml(php: string, file: string): Fault {
  return new Fault("--php is for the configs of php-fpm, which cannot say what program runs", {
    where: { file },
    hint: `say it in the pool: command = [${JSON.stringify(php)}]`,
  });
}

async function withHosts(draft: Draft, problems: Problems): Promise<Draft> {
  const { withHostsFound } = await import("./rules/host-names.ts");
  return withHostsFound(draft, problems);
}

async function tomlDraft(file: string, bytes: Uint8Array, problems: Problems): Promise<Draft> {
  const { readToml } = await import("./toml/toml.ts");
  const { withIncluded } = await import("./toml/include.ts");
  const main = readToml(file, bytes, problems);
  const { withDefaults } = await import("./settings/inherit.ts");
  const { files, pools } = await withIncluded(file, main, problems);
  const source = { format: "toml", file, files, prefix: dirname(file) } as const;
  const inheriting = withDefaults(pools, main.defaults, problems);
  return { source, ...main.sections, pools: inheriting, daemonize: null };
}

async function legacyDraft(
  file: string,
  bytes: Uint8Array,
  options: LoadOptions,
  problems: Problems,
): Promise<Draft> {
  const { readLegacyXml } = await import("./legacy/legacy-xml.ts");
  return withHosts(readLegacyXml(file, bytes, options, problems), problems);
}
