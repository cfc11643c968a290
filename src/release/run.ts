// Runs the programs that make a release; what one of them refuses ends it.

/** What it printed. Throws what it said when it fails. */
export function run(
  command: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdin: "ignore",
  });
  if (exitCode !== 0)
    throw new Error(`${command.join(" ")}: exit ${exitCode}\n${stderr}${stdout}`.trim());
  return stdout.toString();
}

/** Whether there is such a program on this machine. */
export function has(program: string): boolean {
  return Bun.which(program) !== null;
}
