// What the command line changes of a config file: for this run only, and checked like what is written.

import type { Draft, Entry } from "./draft.ts";

export interface Overrides {
  readonly allowRoot?: boolean | undefined;
  readonly pidFile?: string | undefined;
  readonly stateDir?: string | undefined;
  /** A path, or "stderr". */
  readonly logFile?: string | undefined;
  /** php.ini of every pool. */
  readonly phpIni?: string | undefined;
}

/** `cwd`: what relative paths are relative to. */
export function withOverrides(draft: Draft, overrides: Overrides, cwd: string): Draft {
  const given = (name: string, option: string, raw: unknown): Entry[] =>
    raw === undefined ? [] : [{ name, label: option, raw, where: option, base: cwd }];
  const { allowRoot, pidFile, stateDir, logFile, phpIni } = overrides;
  const supervisor = [
    ...given("allow_root", "--allow-root", allowRoot === true ? true : undefined),
    ...given("pid_file", "--pid-file", pidFile),
    ...given("state_dir", "--state-dir", stateDir),
  ];
  const pool = given("php.ini", "--php-ini", phpIni);
  return {
    ...draft,
    supervisor: [...draft.supervisor, ...supervisor],
    log: [...draft.log, ...given("file", "--log-file", logFile)],
    pools: draft.pools.map((p) => ({ ...p, entries: [...p.entries, ...pool] })),
  };
}
