// A Unix socket in front of another one, for a test that must know what a client of it has been told by
// now. Whatever goes in on one side comes out on the other.

import { connect, createServer, type Socket } from "node:net";
import type { Scene } from "./scene.ts";

export interface Tap {
  /** The socket to be used instead. */
  readonly path: string;
  /** All that clients have been answered so far. */
  readonly heard: () => string;
}

export async function tap(scene: Scene, socket: string): Promise<Tap> {
  const path = scene.path("tap.sock");
  let heard = "";
  const server = createServer((client) => {
    const service = connect(socket);
    service.on("data", (chunk) => (heard += chunk.toString()));
    endTogether(client, service);
    client.pipe(service);
    service.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  scene.atEnd(() => void server.close());
  return { path, heard: () => heard };
}

/** Also when one breaks off: the other is not to wait for it. */
function endTogether(one: Socket, other: Socket): void {
  for (const [ended, left] of [
    [one, other],
    [other, one],
  ] as const) {
    ended.on("error", () => left.destroy());
    ended.on("close", () => left.destroy());
  }
}
