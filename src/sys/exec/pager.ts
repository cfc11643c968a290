// Showing a text with another program on the terminal, page by page.

/** What git gives to less: quit when it fits on the screen, leave it there, let colours through. */
const LESS = "FRX";
/** Exit codes of sh for a command that cannot be run. */
const NOT_RUN = [126, 127];

/** Whether the program is somewhere in PATH. */
export function isInstalled(program: string): boolean {
  return Bun.which(program) !== null;
}

/** Hands the text to a command of sh's and waits until it has been left; false when there is no such command. */
export async function page(command: string, text: string): Promise<boolean> {
  const { env } = process;
  // Ctrl-C is for the pager, which goes on; if this process ended, the two would share the terminal with the shell.
  const stay = () => {};
  process.on("SIGINT", stay);
  try {
    const child = Bun.spawn(["/bin/sh", "-c", command], {
      env: { ...env, LESS: env["LESS"] ?? LESS },
      stdio: [Buffer.from(text), "inherit", "inherit"],
    });
    return !NOT_RUN.includes(await child.exited);
  } finally {
    process.off("SIGINT", stay);
  }
}
