// `fcgivisor start`: the same as run, in the background. Returns when every pool serves, or with the
// reason why not; then nothing is left running.

import { defaultSocket } from "../../admin/default-place.ts";
import { AdminClient, BrokenOff } from "../../admin/client.ts";
import type { Status } from "../../admin/contract.ts";
import { configPath } from "../../config/default-places.ts";
import { Fault, type FaultJson, faultText } from "../../fault.ts";
import { sleep } from "../../sys/clock.ts";
import { spawnDaemon } from "../../sys/exec/daemon.ts";
import { controlSocket, ownSocket, type SocketArgs } from "../control/control-socket.ts";
import { samePath } from "../control/same-config.ts";
import type { TakenOver } from "../../supervisor/supervisor.ts";
import { print, printError, printJson } from "../print.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { RUN_OPTIONS } from "./options.ts";
import { firstOf } from "../../log/words.ts";

interface Ready {
  readonly ready: {
    readonly pid: number;
    readonly pools: number;
    readonly takenOver: TakenOver;
    readonly failed: readonly FaultJson[];
  };
}

const POLL_MS = 20;
/** How often one that ends while it is asked is asked again. */
const TRIES = 100;

export default defineCommand({
  name: "start",
  description: "Starts in the background; returns when ready, or with the reason why not.",
  options: { ...RUN_OPTIONS, json: COMMON.json },
  async run(args, { rawArgs }) {
    const running = await runningPid(args);
    if (running !== null) {
      if (args.json) printJson({ ok: true, pid: running, already_running: true });
      else if (!args.quiet) print(`already running as process ${running}; nothing was changed\n`);
      return 0;
    }
    let said = "";
    const words = ["run", "--background", ...withoutJson(rawArgs)];
    const daemon = spawnDaemon(words, (text) => {
      said += text;
      printError(text);
    });
    const line = await daemon.firstLine;
    if (line === null) return failed(args, await daemon.exitCode, said);
    const { ready } = JSON.parse(line) as Ready;
    if (args.json) return tellJson(ready);
    if (!args.quiet) {
      print(
        `started as process ${ready.pid}, ${ready.pools} ${ready.pools === 1 ? "pool serves" : "pools serve"}\n`,
        "it was started and serves all the same; `fcgivisor status` shows it",
      );
    }
    if (!args.quiet) print(takenOverText(ready.takenOver));
    for (const fault of ready.failed) printError(`${faultText(Fault.fromJSON(fault))}\n`);
    return ready.failed.length === 0 ? 0 : 1;
  },
});

/** `run`, which the other words are for, prints no result. */
function withoutJson(rawArgs: readonly string[]): string[] {
  const end = rawArgs.indexOf("--");
  return rawArgs.filter((word, i) => word !== "--json" || (end >= 0 && i > end));
}

function tellJson({ pid, pools, takenOver, failed }: Ready["ready"]): number {
  const ok = failed.length === 0;
  printJson({ ok, pid, already_running: false, pools, taken_over: takenOver, failed });
  return ok ? 0 : 1;
}

function takenOverText({ workers, reopened, from }: TakenOver): string {
  if (workers === 0) return "";
  if (from.length > 0 && reopened.length === 0) return takenFromText(from);
  const what =
    reopened.length === 0
      ? `its sockets were taken back from ${workers} processes`
      : `${workers} of its processes still served, but ${firstOf(reopened)} had to be reopened (the log says why)`;
  return `an earlier supervisor had died; ${what}; they exit when their requests are done\n`;
}

function takenFromText(from: TakenOver["from"]): string {
  const masters = from.map(({ program, pid }) => `${program}, process ${pid}`);
  const units = new Set(from.flatMap(({ unit }) => (unit === null ? [] : [unit])));
  return [
    `its sockets were taken over from ${masters.join(" and ")}; the workers there exit when their requests are done\n`,
    ...[...units].map((unit) => `keep it from starting again: systemctl disable ${unit}\n`),
  ].join("");
}

/** The daemon has told the reason on its stderr, which is ours; unless another start was quicker. */
async function failed(args: StartArgs, exitCode: number, said: string): Promise<number> {
  if (exitCode === 0) throw new Fault("the supervisor was stopped while it was starting");
  const running = await runningPid(args);
  if (!args.json) return running === null ? exitCode : 0;
  const message = said.trim().replace(/^fcgivisor: /, "");
  if (running === null) printJson({ ok: false, fault: { message } });
  else printJson({ ok: true, pid: running, already_running: true });
  return running === null ? exitCode : 0;
}

interface StartArgs extends SocketArgs {
  readonly json: boolean;
  readonly listen?: string | undefined;
}

/** The process that runs already, waited for while it is starting; null when there is none. */
async function runningPid(args: StartArgs, tries = TRIES): Promise<number | null> {
  try {
    const client = new AdminClient(await socketOf(args));
    let status = await client.status();
    for (; status.state === "starting"; status = await client.status()) await sleep(POLL_MS);
    checkItIsOurs(status, args);
    return status.pid;
  } catch (error) {
    if (error instanceof Fault && error.exitCode === 3) return null;
    // It ended just now, and its socket with it a moment later.
    if (!(error instanceof BrokenOff) || tries === 0) throw error;
    await sleep(POLL_MS);
    return runningPid(args, tries - 1);
  }
}

/** What is started without a file is found without one. */
function socketOf({ listen, ...args }: StartArgs): Promise<string> | string {
  return listen === undefined ? controlSocket(args) : (args.socket ?? ownSocket(defaultSocket()));
}

/** "Already running" is no success when it is something else that runs there. */
function checkItIsOurs({ pid, config }: Status, { config: given, listen }: StartArgs): void {
  const options = { given, env: process.env, calledAsPhpFpm: null };
  const wanted = listen === undefined ? configPath(options) : null;
  if (samePath(wanted, config)) return;
  throw new Fault(
    `a supervisor is already running there as process ${pid}, but with another config`,
    {
      where: config ?? "a command line without a config file",
      hint: "stop it first, or give this one a [supervisor] state_dir or a --socket of its own",
    },
  );
}
