// `fcgivisor start`: the same as run, in the background. Returns when every pool serves, or with the
// reason why not; then nothing is left running.

import { defineCommand } from "citty";
import { adminClient } from "../admin/client.ts";
import { Fault } from "../fault.ts";
import { spawnDaemon } from "../sys/daemon.ts";
import { controlSocket } from "./control-socket.ts";
import { RUN_ARGS } from "./run.ts";

interface Ready {
  readonly ready: { readonly pid: number; readonly pools: number; readonly tookOver: number };
}

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
        process.stdout.write(`already running as process ${running}; nothing was changed\n`);
      return 0;
    }
    const daemon = spawnDaemon(["run", "--background", ...rawArgs], (text) =>
      process.stderr.write(text),
    );
    const line = await daemon.firstLine;
    if (line === null) return failed(await daemon.exitCode);
    const { ready } = JSON.parse(line) as Ready;
    if (args.quiet !== true) {
      process.stdout.write(
        `started as process ${ready.pid}, ${ready.pools} ${ready.pools === 1 ? "pool serves" : "pools serve"}\n`,
      );
    }
    if (args.quiet !== true && ready.tookOver > 0) {
      process.stdout.write(
        `an earlier supervisor had died; its sockets were taken back from ${ready.tookOver} processes, which leave when their requests are done\n`,
      );
    }
    return 0;
  },
});

/** The daemon has told the reason on its stderr, which is ours. */
function failed(exitCode: number): number {
  if (exitCode === 0) throw new Fault("the supervisor was stopped while it was starting");
  return exitCode;
}

async function runningPid(socket: string): Promise<number | null> {
  try {
    return (await adminClient(socket).status()).pid;
  } catch (error) {
    if (error instanceof Fault && error.exitCode === 3) return null;
    throw error;
  }
}
