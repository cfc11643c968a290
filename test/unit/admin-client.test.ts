// What a client says when the supervisor it asked goes away in the middle: in words of ours, whatever
// Bun makes of a connection that breaks.

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdminClient, BrokenOff } from "../../src/admin/client.ts";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

const STEP = '{"step":"waiting"}\n';

/** What the supervisor has sent when it ends. */
const SENT = {
  nothing: "",
  "half a head": "HTTP/1.1 200",
  "a step": HEAD + chunk(STEP),
  "half a line": HEAD + chunk(STEP.slice(0, 9)),
  "an end without an answer": `${HEAD}${chunk(STEP)}0\r\n\r\n`,
};

for (const [what, sent] of Object.entries(SENT)) {
  test(`a supervisor that ends when it has sent ${what}`, async () => {
    const dir = mkdtempSync(join(tmpdir(), "fv-client-"));
    const unix = join(dir, "admin.sock");
    const server = Bun.listen({
      unix,
      socket: {
        data(socket) {
          if (sent !== "") socket.write(sent);
          socket.flush();
          setTimeout(() => socket.terminate(), 5);
        },
      },
    });
    try {
      const fault = await new AdminClient(unix).operate("reload").catch((error: unknown) => error);
      expect(fault).toBeInstanceOf(BrokenOff);
      const { message, where, hint, cause } = fault as BrokenOff;
      expect(message).toBe("the supervisor ended before it had answered");
      expect(where).toBe(unix);
      expect(hint).toContain("fcgivisor status");
      expect(cause).toBeUndefined();
    } finally {
      server.stop(true);
      rmSync(dir, { recursive: true, force: true });
    }
  });
}
