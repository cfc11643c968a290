// The guardian wakes the parked workers when the supervisor dies: a shell that reads process groups from
// a pipe, whose other end only the supervisor has, and continues them when that end is gone. It exists
// only while somebody is parked, holds no socket, and signals nobody as long as the supervisor lives.

import { closeSync, writeSync } from "node:fs";
import type { Emit } from "../event.ts";
import { asFault, Fault } from "../fault.ts";
import { openPipe } from "../sys/pipe.ts";
import { sendSignal, spawn } from "../sys/process.ts";

/** Present in every system that runs shell scripts; there is nothing else that it needs. */
const SHELL = "/bin/sh";

/**
 * A line is a process group as kill(2) takes it, negative; any other line forgets those before it. What
 * ends a terminal's or a service's processes spares it: it must outlive the supervisor.
 */
const SCRIPT = `trap "" HUP INT QUIT TERM
groups=
while read -r line; do
  case $line in
    -*) groups="$groups $line" ;;
    *) groups= ;;
  esac
done
for group in $groups; do kill -CONT "$group"; done 2>/dev/null`;

interface Shell {
  readonly pid: number;
  readonly writeEnd: number;
}

export class Guardian {
  private readonly emit: Emit;
  private readonly groups = new Set<number>();
  private shell: Shell | null = null;
  private hasFailed = false;

  constructor(emit: Emit) {
    this.emit = emit;
  }

  /** Before the first worker of this process group is stopped. */
  guard(group: number): void {
    if (this.groups.has(group)) return;
    this.groups.add(group);
    if (this.shell === null) this.begin();
    else this.tell([`-${group}`]);
  }

  /** Nobody of this process group is stopped any more. */
  release(group: number): void {
    if (!this.groups.delete(group)) return;
    if (this.groups.size === 0) this.end();
    else this.tell(["none", ...this.lines]);
  }

  private get lines(): string[] {
    return [...this.groups].map((group) => `-${group}`);
  }

  private begin(): void {
    const { readEnd, writeEnd } = openPipe();
    try {
      const argv = [SHELL, "-c", SCRIPT, "fcgivisor-guardian"];
      const spec = { argv, env: {}, cwd: "/", stdin: readEnd, output: null };
      const { pid } = spawn(spec, () => this.onEnd(pid));
      this.shell = { pid, writeEnd };
      this.tell(this.lines);
    } catch (error) {
      closeSync(writeEnd);
      this.tellLack(error);
    } finally {
      closeSync(readEnd);
    }
  }

  /** KILL, so that it continues nobody. */
  private end(): void {
    const { shell } = this;
    this.shell = null;
    if (shell === null) return;
    sendSignal(shell.pid, "SIGKILL");
    closeSync(shell.writeEnd);
  }

  /** Somebody has ended it: another one takes its place. */
  private onEnd(pid: number): void {
    if (this.shell?.pid !== pid) return;
    closeSync(this.shell.writeEnd);
    this.shell = null;
    if (this.groups.size > 0) this.begin();
  }

  private tell(lines: readonly string[]): void {
    if (this.shell === null) return;
    try {
      writeSync(this.shell.writeEnd, `${lines.join("\n")}\n`);
    } catch {
      // EPIPE: somebody has ended it. EAGAIN: somebody has stopped it. The next one is told all.
      sendSignal(this.shell.pid, "SIGKILL");
    }
  }

  /** Once: the pools scale all the same. */
  private tellLack(error: unknown): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    const fault = new Fault(
      "nobody watches over the parked workers: if the supervisor is killed, they serve again only when it is started again",
      {
        where: SHELL,
        hint: `what said so: ${asFault(error).message}; see \`fcgivisor help scaling\``,
      },
    );
    this.emit({ type: "trouble", fault: fault.toJSON() });
  }
}
