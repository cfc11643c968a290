// `fcgivisor start`: the same as run, in the background. Returns when every pool serves, or with the
// reason why not; then nothing is left running.

import { defineCommand } from "citty";
import { adminClient } from "../admin/client.ts";
import { Fault, type FaultJson, faultLines } from "../fault.ts";
import { sleep } from "../sys/clock.ts";
import { spawnDaemon } from "../sys/daemon.ts";
import { controlSocket, type SocketArgs } from "./control-socket.ts";
import type { Found } from "../supervisor/come-up.ts";
import { print } from "./print.ts";
import { RUN_ARGS } from "./run.ts";

interface Ready {
  readonly ready: {
    readonly pid: number;
    readonly pools: number;
    readonly found: Found;
    readonly failed: readonly FaultJson[];
  };
}

const POLL_MS = 20;

export default defineCommand({
  meta: {
    name: "start",
    description: "Starts in the background; returns when ready, or with the reason why not.",
  },
  args: RUN_ARGS,
  async run({ args, rawArgs }) {
    const running = await runningPid(await controlSocket(args));
    if (running !== null) {
      if (args.quiet !== true)
        print(`already running as process ${running}; nothing was changed\n`);
      return 0;
    }
    const daemon = spawnDaemon(["run", "--background", ...rawArgs], (text) =>
      process.stderr.write(text),
    );
    const line = await daemon.firstLine;
    if (line === null) return failed(args, await daemon.exitCode);
    const { ready } = JSON.parse(line) as Ready;
    if (args.quiet !== true) {
      print(
        `started as process ${ready.pid}, ${ready.pools} ${ready.pools === 1 ? "pool serves" : "pools serve"}\n`,
        "it was started and serves all the same; `fcgivisor status` shows it",
      );
    }
    if (args.quiet !== true) print(foundText(ready.found));
    for (const fault of ready.failed)
      process.stderr.write(`${faultLines(Fault.fromJSON(fault)).join("\n")}\n`);
    return ready.failed.length === 0 ? 0 : 1;
  },
});

function foundText({ processes, reopened }: Found): string {
  if (processes === 0) return "";
  const what =
    reopened.length === 0
      ? `its sockets were taken back from ${processes} processes`
      : `${processes} of its processes still served, but ${reopened.join(", ")} had to be opened anew (the log says why)`;
  return `an earlier supervisor had died; ${what}; they leave when their requests are done\n`;
}

/** The daemon has told the reason on its stderr, which is ours; unless another start was quicker. */
async function failed(args: SocketArgs, exitCode: number): Promise<number> {
  if (exitCode === 0) throw new Fault("the supervisor was stopped while it was starting");
  return (await runningPid(await controlSocket(args))) === null ? exitCode : 0;
}

/** The process that runs already, waited for while it is starting; null when there is none. */
async function runningPid(socket: string): Promise<number | null> {
  const client = adminClient(socket);
  try {
    let status = await client.status();
    for (; status.state === "starting"; status = await client.status()) await sleep(POLL_MS);
    return status.pid;
  } catch (error) {
    if (error instanceof Fault && error.exitCode === 3) return null;
    throw error;
  }
}
