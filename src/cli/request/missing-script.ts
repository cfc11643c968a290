// What PHP means by "No input file specified.": there is no such script, as far as it can see.

import type { FcgiResponse } from "../../fcgi/client.ts";

/** The SCRIPT_FILENAME that was sent and led nowhere; null when this was not the answer. */
export function missingScript(
  { status, body }: FcgiResponse,
  params: ReadonlyMap<string, string>,
): string | null {
  const said = Buffer.from(body).toString().trim();
  const script = params.get("SCRIPT_FILENAME");
  return status === 404 && said === "No input file specified." ? (script ?? null) : null;
}
