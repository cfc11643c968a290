// What a control command says and does when nobody answers: a supervisor that has died may have left
// workers that still serve.

import { rmSync } from "node:fs";
import { stateDirDefault } from "../../admin/default-place.ts";
import { forgetPointer, forgetPointersTo } from "../../admin/pointers.ts";
import type { Report } from "../../admin/contract.ts";
import { Fault } from "../../fault.ts";
import { narrate } from "../../log/narrate.ts";
import { firstOf } from "../../log/words.ts";
import { LeftService } from "../../supervisor/recovery/left-service.ts";
import { now } from "../../sys/clock.ts";
import { readOwnFile } from "../../sys/own-file.ts";
import { removeSocket } from "../../sys/socket/socket-file.ts";
import { printError } from "../print.ts";
import type { SocketArgs } from "./control-socket.ts";
import { tracesOf } from "./places.ts";

/** "Not running" (exit code 3), with what is left where there is something; anything else as it is. */
export async function withLeftOver(
  error: unknown,
  args: SocketArgs,
  socket: string,
): Promise<unknown> {
  if (!(error instanceof Fault) || error.exitCode !== 3) return error;
  const { stateDir } = await tracesOf(args, socket);
  const left = LeftService.find(stateDir, () => {});
  if (left === null) return error;
  left.leave();
  const { workers, addresses } = left;
  const who =
    workers === 1
      ? "1 left-over process still serves"
      : `${workers} left-over processes still serve`;
  return new Fault(`${error.message}; it has died, and ${who} ${firstOf(addresses)}`, {
    exitCode: 3,
    hint: "`fcgivisor start` takes over from them without losing a request; `fcgivisor stop` ends them",
  });
}

/** Ends what is left; null when nothing is. */
export async function endLeftOver(
  word: "stop" | "quit",
  args: SocketArgs,
  socket: string,
): Promise<Report | null> {
  const since = now();
  const { stateDir, pidFile, config } = await tracesOf(args, socket);
  const left = LeftService.find(stateDir, (event) => {
    const { level, text } = narrate(event);
    if (level !== "debug" && level !== "notice") printError(`fcgivisor: ${text}\n`);
  });
  if (left === null) return null;
  await left.end(word);
  removeSocket(socket);
  if (config !== null) forgetPointer(stateDirDefault(), config, socket);
  else forgetPointersTo(stateDirDefault(), socket);
  forgetPointer(stateDirDefault(), socket, stateDir);
  if (pidFile !== null && textOf(pidFile) === String(left.pid)) rmSync(pidFile, { force: true });
  const duration_ms = Math.round(now() - since);
  return { operation: word, pid: 0, duration_ms, generation: 0, left_behind: left.workers };
}

function textOf(file: string): string | null {
  try {
    return readOwnFile(file)?.trim() ?? null;
  } catch {
    return null;
  }
}
