// The control socket: its file, its rights, and Bun's HTTP server on it. Who can bind it is the one
// supervisor of its state_dir.

import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import type { AdminConfig } from "../config/model.ts";
import { asFault, Fault } from "../fault.ts";
import { pathProblem } from "../sys/address.ts";
import { setUmask } from "../sys/exec/become.ts";
import { after } from "../sys/clock.ts";
import { neededGroup, neededUser, notASocket } from "../sys/machine.ts";
import { holderOf, unixInodes } from "../sys/proc-sockets.ts";
import { probeUnix } from "../sys/socket.ts";

/**
 * A response that is streamed may have nothing to tell for a while; without this it is cut after 10 s.
 * Bun's types know the option for TCP only, Bun itself also for Unix sockets.
 */
const NEVER_IDLE: object = { idleTimeout: 0 };
/** Bytes; the longest that is asked for is a list of pools. */
const LONGEST_BODY = 1024 * 1024;
const CLOSE_PATIENCE_MS = 1000;

type Handle = (request: Request) => Promise<Response>;

export class AdminServer {
  private readonly socket: string;
  private readonly server: Bun.Server<undefined>;

  private constructor(socket: string, server: Bun.Server<undefined>) {
    this.socket = socket;
    this.server = server;
  }

  /** Opens the control socket. Throws a Fault when another supervisor has it, or it cannot be made. */
  static open(config: AdminConfig, handle: Handle): AdminServer {
    const { socket } = config;
    prepare(socket);
    const server = listen(socket, handle);
    try {
      setRights(config);
    } catch (error) {
      void server.stop(true);
      rmSync(socket, { force: true });
      throw error;
    }
    return new AdminServer(socket, server);
  }

  /** Waits for answers under way, then closes and removes the socket. */
  async close(): Promise<void> {
    const { server, socket } = this;
    const waited = Promise.withResolvers<void>();
    const cancel = after(CLOSE_PATIENCE_MS, waited.resolve);
    await Promise.race([server.stop(), waited.promise]);
    cancel();
    await server.stop(true);
    if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(socket);
  }
}

function listen(socket: string, handle: Handle): Bun.Server<undefined> {
  const umask = setUmask(0o177);
  try {
    return Bun.serve({
      unix: socket,
      ...NEVER_IDLE,
      // Operations take as long as they take.
      fetch(request, self) {
        self.timeout(request, 0);
        return handle(request);
      },
      maxRequestBodySize: LONGEST_BODY,
      // Bun's own page for a bug shows source lines and the working directory.
      development: false,
      error: (error) =>
        Response.json({ ok: false, fault: asFault(error).toJSON() }, { status: 500 }),
    });
  } catch (error) {
    throw new Fault("cannot open the control socket", {
      where: socket,
      hint: `make ${dirname(socket)} writable, or set another [admin] socket`,
      cause: error,
    });
  } finally {
    setUmask(umask);
  }
}

function prepare(socket: string): void {
  const wrong = pathProblem(socket);
  if (wrong !== null) throw new Fault(wrong.problem, { where: "control socket", hint: wrong.hint });
  try {
    mkdirSync(dirname(socket), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new Fault("cannot make the folder of the control socket", {
      where: dirname(socket),
      hint: "make its parent writable, or set another [supervisor] state_dir",
      cause: error,
    });
  }
  const stat = lstatSync(socket, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw notASocket(socket);
  if (probeUnix(socket) === "accepts") throw alreadyRunning(socket);
  unlinkSync(socket);
}

/** `where`: what tells so, the control socket or the lock. */
export function alreadyRunning(where: string): Fault {
  const holder = holderOf(new Set(unixInodes(where)));
  return new Fault(
    `a supervisor is already running${holder === null ? "" : ` as process ${holder.pid}`}`,
    {
      where,
      hint: "use `fcgivisor reload` for a new config, or another [supervisor] state_dir for a second supervisor",
    },
  );
}

function setRights({ socket, owner, group, mode }: AdminConfig): void {
  chmodSync(socket, mode);
  if (owner === null && group === null) return;
  const user = owner === null ? null : neededUser(owner, "[admin] owner");
  const gid = group === null ? user!.gid : neededGroup(group, "[admin] group");
  try {
    chownSync(socket, user?.uid ?? process.getuid!(), gid);
  } catch (error) {
    throw new Fault("the control socket cannot be given to that owner or group", {
      where: socket,
      hint: "set [admin] group to one that this user is in, leave owner out, or start as root",
      cause: error,
    });
  }
}
