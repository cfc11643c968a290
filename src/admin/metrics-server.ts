// The listener of [metrics]: HTTP on TCP or on a Unix socket, for anybody who can connect. So it takes few
// connections at once, none that keeps silent, and what is asked there changes nothing (metrics-routes.ts).

import { createServer, type Socket } from "node:net";
import type { MetricsConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { type Address, addressText } from "../sys/socket/address.ts";
import { bindSocket, closeSocket, listenOn } from "../sys/socket/socket.ts";
import { type Handle, HttpService } from "./http.ts";
import { AdminServer } from "./server.ts";

/** More are closed at once: whoever opens them without end gets no descriptors for it. */
export const CONNECTIONS_MOST = 64;
/** A connection that is silent for so long is closed. */
const SILENCE_MS = 75_000;
const CLOSE_PATIENCE_MS = 1000;
const BACKLOG = 64;

export interface Closable {
  readonly close: () => Promise<void>;
}

/** Opens it. Throws a Fault when it cannot be opened. */
export function openMetrics(
  { group, mode }: MetricsConfig,
  listen: Address,
  handle: Handle,
): Closable {
  const takes = limited();
  if (listen.kind === "unix")
    return AdminServer.open(
      { socket: listen.path, owner: null, group, mode },
      handle,
      () => true,
      takes,
    );
  const http = new HttpService(handle);
  const server = createServer((connection) => {
    if (takes(connection)) http.serve(connection, null);
  });
  server.listen({ fd: bound(listen) });
  return {
    async close() {
      server.close();
      await http.end(CLOSE_PATIENCE_MS);
    },
  };
}

/** Whether there is a place for one more connection; what is silent too long loses it. */
function limited(): (connection: Socket) => boolean {
  let open = 0;
  return (connection) => {
    if (open >= CONNECTIONS_MOST) {
      connection.destroy();
      return false;
    }
    open++;
    connection.once("close", () => open--);
    connection.setTimeout(SILENCE_MS, () => connection.destroy());
    return true;
  };
}

function bound(address: Address): number {
  let fd: number | null = null;
  try {
    fd = bindSocket(address);
    listenOn(fd, BACKLOG);
    return fd;
  } catch (error) {
    if (fd !== null) closeSocket(fd);
    throw new Fault("cannot open the listener for metrics", {
      where: `[metrics] listen ${addressText(address)}`,
      hint: "stop whoever listens there, or choose another address",
      cause: error,
    });
  }
}
