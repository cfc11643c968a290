// Starting this program once more as a daemon: in a session of its own, without a terminal.

import { ownEnvironment, selfCommand } from "./self.ts";

export interface Daemon {
  /** Its first line on stdout; null when it ended without one. */
  readonly firstLine: Promise<string | null>;
  readonly exitCode: Promise<number>;
}

/** `onStderr` gets what it writes there, until it lets go of it. */
export function spawnDaemon(args: readonly string[], onStderr: (text: string) => void): Daemon {
  const child = Bun.spawn([...selfCommand(), ...args], {
    env: ownEnvironment(process.env),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const errors = forward(child.stderr, onStderr);
  const firstLine = readLine(child.stdout).then(async (line) => {
    if (line === null) await errors;
    else child.unref();
    return line;
  });
  return { firstLine, exitCode: child.exited };
}

async function forward(
  stream: ReadableStream<Uint8Array>,
  write: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) write(decoder.decode(chunk, { stream: true }));
}

async function readLine(stream: ReadableStream<Uint8Array>): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  return null;
}
