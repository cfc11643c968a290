// Which pools have changed since their workers started, and what about each: `reload --changed` leaves the
// others alone. A file has changed when its inode has since (ctime, which a rename sets as well); that is
// asked of the files now, so nothing need be kept from the start.

import { statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { diffConfigs } from "../../config/derived/diff.ts";
import type { Config, PoolConfig } from "../../config/model.ts";
import { runtimeOf } from "../../runtime/registry.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { beginningOf } from "../../sys/beginning.ts";
import { now, wallClock } from "../../sys/clock.ts";
import { capture } from "../../sys/process.ts";
import { launchForQuestion } from "../../worker/launch.ts";
import { findProgram, programRoot } from "../../worker/program.ts";
import type { SupervisorState } from "../supervisor-state.ts";

const QUESTION_TIMEOUT_MS = 10_000;
/** Bytes of a first line that the kernel looks at (BINPRM_BUF_SIZE). */
const LINE_MOST = 256;

/** By pool the reason, in words that complete "because"; pools that have gone are among them. */
export async function changedPools(
  state: SupervisorState,
  next: Config,
): Promise<ReadonlyMap<string, string>> {
  const { added, removed, readdressed, replaced } = diffConfigs(state.config, next);
  const files = await Promise.all(
    replaced.map(async ({ name, next: pool, changes }) => {
      if (changes.length > 0) return [name, "its config has changed"] as const;
      const startedAt = state.pools.get(name)?.current.startedAt;
      const age = startedAt === undefined ? 0 : now() - startedAt;
      const file = await changedFile(pool, wallClock().getTime() - age);
      return [name, file === null ? null : `${file} has changed`] as const;
    }),
  );
  return new Map([
    ...added.map(({ name }) => [name, "it is new"] as const),
    ...readdressed.map(({ name }) => [name, "its address has changed"] as const),
    ...files.flatMap(([name, why]) => (why === null ? [] : [[name, why] as const])),
    ...removed.map(({ name }) => [name, "it is not in the config any more"] as const),
  ]);
}

async function changedFile(pool: PoolConfig, since: number): Promise<string | null> {
  const runtime = runtimeOf(pool);
  if (runtime === undefined) return null;
  const root = programRoot(pool, runtime);
  const files = [...programFiles(pool, runtime, root), ...(await settingsFiles(pool, runtime))];
  return files.find((file) => changedSince(join(root, file), since)) ?? null;
}

/** The program, its interpreter where it is a script, and whatever file is an argument of it. */
function programFiles(pool: PoolConfig, runtime: Runtime, root: string): string[] {
  const program = findProgram(pool, runtime);
  const folder = pool.chdir ?? "/";
  const words = pool.command
    .slice(1)
    .map((word) => (isAbsolute(word) ? word : resolve(folder, word)));
  return [program, ...interpreterOf(join(root, program)), ...words];
}

function interpreterOf(path: string): string[] {
  // It may be executed without a right to read it.
  const beginning = beginningOf(path, LINE_MOST) ?? [];
  const [, interpreter] =
    /^#![ \t]*(\/[^\s]+)/.exec(Buffer.from(beginning).toString("latin1")) ?? [];
  return interpreter === undefined ? [] : [interpreter];
}

async function settingsFiles(pool: PoolConfig, runtime: Runtime): Promise<readonly string[]> {
  if (runtime.settingsFiles === undefined) return [];
  return runtime.settingsFiles(pool, (args) =>
    capture(launchForQuestion(pool, runtime, args), QUESTION_TIMEOUT_MS),
  );
}

function changedSince(path: string, since: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.ctimeMs > since;
}
