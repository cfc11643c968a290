// `fcgivisor responder`, not listed: the embedded worker. A supervisor starts it, with the listening
// socket on descriptor 0.

import { command } from "./command.ts";

export default command({
  name: "responder",
  description: "A FastCGI worker for demos and tests; needs a listening socket on descriptor 0.",
  options: {},
  async run() {
    const { serve } = await import("../fcgi/responder.ts");
    return serve(0, process.env["FCGIVISOR_GENERATION"] ?? null);
  },
});
