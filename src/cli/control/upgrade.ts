// `fcgivisor upgrade [BINARY]`: the running supervisor becomes another program, same pid, same
// sockets. The old program cannot answer any more when it is done, so the new one's status tells.

import { resolve } from "node:path";
import { AdminClient, BrokenOff } from "../../admin/client.ts";
import type { SupervisorStatus } from "../../admin/contract.ts";
import { Fault } from "../../fault.ts";
import { now, sleep } from "../../sys/clock.ts";
import { lives } from "../../sys/proc/procfs.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { print, printJson } from "../print.ts";
import { controlSocket } from "./control-socket.ts";
import { refuseOtherConfig } from "./same-config.ts";

const POLL_MS = 20;
/** Reading the config and starting every pool again. */
const PATIENCE_MS = 120_000;

export default defineCommand({
  name: "upgrade",
  description:
    "Replaces the running program by BINARY, or by what now is in its own file: same pid, same sockets, nothing dropped.",
  options: {
    ...COMMON,
    binary: {
      type: "positional",
      required: false,
      valueHint: "binary",
      description: "the new program",
    },
  },
  async run(args) {
    const socket = await controlSocket(args);
    const client = new AdminClient(socket);
    const before = await client.supervisor().catch(async (error: unknown) => {
      const { withLeftOver } = await import("./left-over.ts");
      throw await withLeftOver(error, args, socket);
    });
    refuseOtherConfig(args, before);
    const since = now();
    const id = crypto.randomUUID();
    const isExecuting = await ask(client, id, args.binary);
    const after = await untilUpgraded(client, id, before, socket);
    if (after.upgrade!.id !== id && !isExecuting) throw overtaken(socket);
    const { failure } = after.upgrade!;
    if (failure !== null) throw wentBack(failure, socket);
    show(args, before, after, now() - since);
    return 0;
  },
});

/** Whether it is known that the new program is being executed: the line that tells so may be lost with the connection. */
async function ask(client: AdminClient, id: string, binary: string | undefined): Promise<boolean> {
  let isExecuting = false;
  const options = binary === undefined ? { id } : { id, binary: resolve(binary) };
  try {
    await client.operate("upgrade", options, ({ step }) => (isExecuting ||= step === "executing"));
  } catch (error) {
    if (!isExecuting && !(error instanceof BrokenOff)) throw error;
  }
  return isExecuting;
}

function wentBack(failure: string, socket: string): Fault {
  return new Fault(`the new program could not start, and the old one is back: ${failure}`, {
    where: socket,
    hint: "the log has the whole story; the service went on meanwhile",
  });
}

/** Resolves when the program is another than `before`, by this upgrade or by another one. */
async function untilUpgraded(
  client: AdminClient,
  id: string,
  before: SupervisorStatus,
  socket: string,
): Promise<SupervisorStatus> {
  const { pid } = before;
  const known = before.upgrade?.id;
  for (const since = now(); now() - since < PATIENCE_MS; await sleep(POLL_MS)) {
    const status = await client.supervisor().catch(() => null);
    const last = status?.upgrade?.id;
    const isAnother = last === id || (last !== undefined && last !== known);
    if (isAnother && status?.state === "running") return status;
    if (!lives(pid)) break;
  }
  throw new Fault("the new program does not answer", {
    where: socket,
    hint: "workers keep serving; see the log, and start it with `fcgivisor start`, which takes the sockets back",
  });
}

/** What waits behind an upgrade is lost with the program that it was asked of. */
function overtaken(socket: string): Fault {
  return new Fault("another upgrade was done meanwhile, and this one was not", {
    where: socket,
    hint: "`fcgivisor status` shows which program runs now; try again if it is not the one you want",
  });
}

function show(
  args: { readonly json: boolean; readonly quiet: boolean },
  before: SupervisorStatus,
  after: SupervisorStatus,
  ms: number,
): void {
  const result = {
    from: before.version,
    to: after.version,
    pid: after.pid,
    duration_ms: Math.round(ms),
  };
  const done = "the upgrade is done all the same; only its report could not be written";
  if (args.json) printJson({ ok: true, report: { operation: "upgrade", ...result } }, done);
  else if (!args.quiet) {
    print(
      `upgraded from ${result.from} to ${result.to} in ${result.duration_ms} ms, still process ${result.pid}\n`,
      done,
    );
  }
}
