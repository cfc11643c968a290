// What everybody may see who may look: the status, the metrics, whether it lives and whether it is ready.

import type { Supervisor } from "../supervisor/supervisor.ts";
import { withMemory } from "../supervisor/worker-memory.ts";
import { jsonAnswer } from "./answer.ts";
import type { Asked } from "./http.ts";
import { familiesOf } from "./metrics/families.ts";
import { CONTENT_TYPES, formFor, metricsText } from "./metrics/text.ts";

/** By path. */
export type Pages = Readonly<Record<string, (asked: Asked) => Response | Promise<Response>>>;

export interface Looking {
  readonly supervisor: Supervisor;
  /** Where the control socket is. */
  readonly socket: string;
}

/** For monitoring. */
export function monitoringPages({ supervisor, socket }: Looking): Pages {
  return {
    "/metrics": ({ accept, url }) => {
      const workers = ["true", "1", ""].includes(url.searchParams.get("workers") ?? "false");
      const form = formFor(accept);
      const text = metricsText(familiesOf(supervisor.status(socket), workers), form);
      return new Response(text, { headers: { "content-type": CONTENT_TYPES[form] } });
    },
    "/healthz": () => new Response("ok\n"),
    "/readyz": () =>
      supervisor.isReady
        ? new Response("ok\n")
        : new Response("not ready: see /v1/status\n", { status: 503 }),
  };
}

export function openPages(looking: Looking): Pages {
  const { supervisor, socket } = looking;
  return {
    "/v1/supervisor": () => jsonAnswer(supervisor.ownStatus(socket)),
    "/v1/status": ({ url: { searchParams } }) => {
      const status = supervisor.status(socket);
      return jsonAnswer(searchParams.get("detail") === "1" ? withMemory(status) : status);
    },
    "/v1/history": () => jsonAnswer(supervisor.history.list()),
    "/v1/advice": () => jsonAnswer(supervisor.advice),
    ...monitoringPages(looking),
  };
}
