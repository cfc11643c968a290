// A control socket: its file, its rights, and who connects to it. Who can bind it is the one supervisor of its
// state_dir.

import { fstatSync, lstatSync, mkdirSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { AdminConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { pathProblem } from "../sys/socket/address.ts";
import { neededGroup, neededUser, notASocket } from "../sys/machine/machine.ts";
import { credentials } from "../sys/socket/credentials.ts";
import { type Peer, peerOf } from "../sys/socket/peer.ts";
import { after } from "../sys/clock.ts";
import { holderOf, unixInodes } from "../sys/proc/proc-sockets.ts";
import { bindSocket, closeSocket, listenOn } from "../sys/socket/socket.ts";
import { probeUnix } from "../sys/socket/unix-connect.ts";
import { removeSocket, replacedFault, SocketFile } from "../sys/socket/socket-file.ts";
import { isOurs } from "../sys/trust.ts";
import { Guests } from "./guests.ts";
import { type Handle, HttpService } from "./http.ts";

const CLOSE_PATIENCE_MS = 1000;
/** Connections that may wait; one more than that is refused. */
const BACKLOG = 512;

/** Where a control socket is, and who may connect to it. */
export type Place = Pick<AdminConfig, "socket" | "owner" | "group" | "mode">;

/** Whoever may do nothing here is told so, and keeps no connection. */
const REFUSAL_MS = 1000;

/** Whose connections are served; everybody's, unless said otherwise. */
export interface Admission {
  /** Whether there is room for one more; who says no ends the connection himself. */
  readonly takes?: (connection: Socket) => boolean;
  /** Whether somebody may ask anything; who may not is told so, and keeps no connection. */
  readonly lets?: (peer: Peer | null) => boolean;
}

export class AdminServer {
  private readonly file: SocketFile;
  private readonly server: Server;
  private readonly http: HttpService;

  private constructor(file: SocketFile, server: Server, http: HttpService) {
    this.file = file;
    this.server = server;
    this.http = http;
  }

  /** Opens a control socket. Throws a Fault when another supervisor has it, or it cannot be made. */
  static open(place: Place, handle: Handle, { takes, lets }: Admission = {}): AdminServer {
    prepare(place.socket);
    const { fd, file } = bound(place);
    const http = new HttpService(handle);
    const guests = new Guests();
    const server = createServer((connection) => {
      if (takes?.(connection) === false) return;
      if (!admitted(connection, guests)) return void connection.destroy();
      const peer = peerOn(connection);
      http.serve(connection, peer);
      if (lets?.(peer) === false) after(REFUSAL_MS, () => connection.destroy());
    });
    server.listen({ fd });
    return new AdminServer(file, server, http);
  }

  /** Waits for answers under way, then closes and removes the socket. */
  async close(): Promise<void> {
    // No new connection; the callback would wait for all there are.
    this.server.close();
    await this.http.end(CLOSE_PATIENCE_MS);
    this.file.remove();
  }
}

/** Binds it, and lets clients in only when its rights are as they are to be. */
function bound(place: Place): { readonly fd: number; readonly file: SocketFile } {
  const { socket } = place;
  const fd = opened(socket, () => bindSocket({ kind: "unix", path: socket }));
  const file = SocketFile.of(socket, fstatSync(fd).ino);
  try {
    if (file === null) throw replacedFault(socket);
    setRights(file, place);
    opened(socket, () => listenOn(fd, BACKLOG));
    return { fd, file };
  } catch (error) {
    file?.remove();
    closeSocket(fd);
    throw error;
  }
}

function opened<T>(socket: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new Fault("cannot open the control socket", {
      where: socket,
      hint: `make ${dirname(socket)} writable, or set another [admin] socket`,
      cause: error,
    });
  }
}

/** Somebody of whom the kernel says nothing. */
const UNKNOWN_UID = -1;

/** Root and our own user always; others as many as they may be. */
function admitted(connection: Socket, guests: Guests): boolean {
  const fd = descriptorOf(connection);
  const uid = (fd === null ? null : credentials(fd))?.uid ?? UNKNOWN_UID;
  if (isOurs(uid)) return true;
  if (!guests.admit(uid)) return false;
  connection.once("close", () => guests.leave(uid));
  return true;
}

function peerOn(connection: Socket): Peer | null {
  const fd = descriptorOf(connection);
  return fd === null ? null : peerOf(fd);
}

/** The handle is the runtime's own affair, so its number may be missing one day; then nobody is trusted. */
function descriptorOf(connection: Socket): number | null {
  const { _handle } = connection as unknown as { _handle?: { fd?: unknown } };
  return typeof _handle?.fd === "number" ? _handle.fd : null;
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
  removeSocket(socket);
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

function setRights(file: SocketFile, { owner, group, mode }: Place): void {
  const user = owner === null ? null : neededUser(owner, "[admin] owner");
  const gid = group === null ? null : neededGroup(group, "[admin] group");
  const given =
    user === null && gid === null
      ? null
      : { uid: user?.uid ?? process.getuid!(), gid: gid ?? user!.gid };
  try {
    file.change(mode, given);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("the control socket cannot be given to that owner or group", {
      where: file.path,
      hint: "set [admin] group to one that this user is in, leave owner out, or start as root",
      cause: error,
    });
  }
}
