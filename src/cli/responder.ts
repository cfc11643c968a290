// `fcgivisor responder`, not listed: the embedded worker. A supervisor starts it, with the listening
// socket on descriptor 0.

import { defineCommand } from "./command.ts";

export default defineCommand({
  name: "responder",
  description: "A FastCGI worker for demos and tests; needs a listening socket on descriptor 0.",
  options: {},
  async run() {
    const { serveRequests } = await import("../fcgi/responder.ts");
    return serveRequests(0, process.env["FCGIVISOR_GENERATION"] ?? null);
  },
});
