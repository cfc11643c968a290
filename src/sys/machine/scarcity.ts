// What there is too little of, told from the error of a call that failed for want of it.

const SHORTAGES: Readonly<Record<string, string>> = {
  EAGAIN:
    "as many processes run as a limit allows: the user's (ulimit -u, LimitNPROC= in systemd), the control group's (TasksMax=), or kernel.pid_max",
  EMFILE:
    "as many descriptors are open as this process may have: raise its limit (ulimit -n, LimitNOFILE= in systemd)",
  ENFILE: "as many files are open as the whole system allows: raise fs.file-max",
  ENOMEM: "memory is short: free some, or run fewer workers",
  ENOSPC: "the disk is full",
};

/** A hint for a person; undefined when the error is about something else. */
export function shortage(error: unknown): { hint: string } | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const hint = SHORTAGES[code];
  return hint === undefined ? undefined : { hint };
}
