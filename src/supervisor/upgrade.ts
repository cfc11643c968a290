// The story of an upgrade: the new program is asked first whether it runs, reads the config and
// understands our state; then this process becomes it (execve(2): same pid, children stay children,
// sockets stay open), and it starts as after a crash, on the sockets it was handed. A program that
// fails at that goes back to the old one in the same way.

import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";
import { Fault } from "../fault.ts";
import { execute } from "../sys/exec/become.ts";
import { type Handover, handOver, openOwnProgram, programPath } from "../sys/exec/handover.ts";
import { OWN_PROGRAM } from "../sys/exec/self.ts";
import { capture } from "../sys/process.ts";
import { exposure, exposureText } from "../sys/trust.ts";
import { allListeners } from "./sockets.ts";
import { STATE_FORMAT, STATE_FORMAT_WORD } from "./recovery/state-format.ts";
import type { State } from "./recovery/state-file.ts";
import { type Seen, seenForNext } from "./seen.ts";
import { poolsInOrder, type SupervisorState } from "./supervisor-state.ts";

const QUESTION_TIMEOUT_MS = 20_000;

/** News for the old program that must not end the new one: its workers' output, above all. */
const HARMLESS = ["SIGIO", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

export interface Upgrade {
  readonly binary: string;
  readonly version: string;
}

/** Asks the new program everything that can be asked before. Throws a Fault; nothing was touched then. */
export async function checkBinary(
  given: string | null,
  configFile: string | null,
): Promise<Upgrade> {
  const binary = resolve(given ?? OWN_PROGRAM);
  try {
    accessSync(binary, constants.X_OK);
  } catch (error) {
    throw refusal(binary, "it cannot be executed", error instanceof Error ? error.message : "");
  }
  // Before it is executed for the first time, as the user we are.
  const exposed = exposure(binary, "only on the way");
  if (exposed !== null)
    throw refusal(
      binary,
      `others can change that file: ${exposureText(exposed)}`,
      "put it where only root, or the user the supervisor runs as, can write",
    );
  const version = await ask(binary, ["--version"], "it does not run");
  if (!version.startsWith("fcgivisor ")) throw refusal(binary, "it is not fcgivisor", version);
  const format = Number(
    await ask(binary, [STATE_FORMAT_WORD], "it does not say which state it reads"),
  );
  if (!(format >= STATE_FORMAT)) {
    throw refusal(
      binary,
      `it reads state up to format ${format}, and this is format ${STATE_FORMAT}`,
      "stop this one and start that one instead",
    );
  }
  if (configFile !== null)
    await ask(binary, ["check", "--quiet", "-c", configFile], "it does not accept the config");
  return { binary, version: version.slice("fcgivisor ".length) };
}

async function ask(binary: string, args: string[], complaint: string): Promise<string> {
  const env = process.env as Record<string, string>;
  const said = await capture({ argv: [binary, ...args], env }, QUESTION_TIMEOUT_MS).catch(
    (error: unknown) => {
      throw refusal(binary, "it cannot be executed", String(error));
    },
  );
  if (said.failure !== null) throw refusal(binary, complaint, said.output.trim());
  return said.output.trim();
}

function refusal(binary: string, why: string, said: string): Fault {
  return new Fault(`the upgrade was refused, and nothing was changed: ${why}`, {
    where: binary,
    ...(said === "" ? {} : { hint: said }),
  });
}

export interface OwnTraits {
  readonly state: State;
  readonly seen: Seen;
  /** Descriptor of the lock. */
  readonly lock: number;
}

/** Becomes the new program. Returns only by throwing, when the system refuses to execute it. */
export function becomeBinary(
  state: SupervisorState,
  upgrade: Upgrade,
  own: OwnTraits,
  id: string,
): never {
  const handover: Handover = {
    id,
    from: own.state.version,
    oldProgram: openOwnProgram(),
    words: [process.argv0, ...process.argv.slice(2)],
    lock: own.lock,
    state: own.state,
    seen: seenForNext(own.seen),
    sockets: Object.fromEntries(allListeners(state).map(({ inode, fd }) => [String(inode), fd])),
  };
  wakeAll(state);
  const { env, takeBack } = handOver(handover);
  try {
    execute(upgrade.binary, handover.words, env, HARMLESS);
  } catch (error) {
    takeBack();
    throw new Fault("the new program could not be executed; nothing was changed", {
      where: upgrade.binary,
      cause: error,
    });
  }
}

/** The next program knows them only as workers that are to leave. */
function wakeAll(state: SupervisorState): void {
  for (const { current, leaving } of poolsInOrder(state))
    for (const { parked } of [current, ...leaving].flatMap(({ all }) => all))
      parked.wake(parked.count);
}

/** Back to the program that handed over, because this one could not start. Returns when there is no way back. */
export function goBack(handover: Handover, failure: string): void {
  if (handover.oldProgram === null) return;
  const { oldProgram, ...rest } = handover;
  const { env } = handOver({ ...rest, oldProgram: null, failure });
  execute(programPath(oldProgram), handover.words, env, HARMLESS);
}
