// From an HTTP request to the supervisor and back. Nothing is decided here.

import { configToJson } from "../config/derived/wire.ts";
import { asFault, Fault } from "../fault.ts";
import type { Tell } from "../supervisor/operations/operation-queue.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import {
  type OperationAnswer,
  type Operation,
  OPERATIONS,
  type OperationOptions,
  type Report,
  STREAM_TYPE,
} from "./contract.ts";
import { metricsText } from "./metrics.ts";
import { operationOptions } from "./options.ts";

const BY = "the control socket";

export function routes(
  supervisor: Supervisor,
  socket: string,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = URL.parse(request.url);
    if (url === null) return unreadable();
    const operation = OPERATIONS.find((word) => url.pathname === `/v1/${word}`);
    if (operation !== undefined) {
      if (request.method !== "POST") return wrongMethod("POST");
      return operate(supervisor, operation, request, url);
    }
    const page = pages(supervisor, socket)[url.pathname];
    if (page === undefined) return notFound(url.pathname);
    return request.method === "GET" || request.method === "HEAD" ? page() : wrongMethod("GET");
  };
}

function pages(supervisor: Supervisor, socket: string): Record<string, () => Response> {
  return {
    "/v1/status": () => Response.json(supervisor.status(socket)),
    "/v1/config": () => Response.json(configToJson(supervisor.config)),
    "/metrics": () =>
      new Response(metricsText(supervisor.status(socket)), {
        headers: { "content-type": "text/plain; version=0.0.4" },
      }),
    "/healthz": () => new Response("ok\n"),
    "/readyz": () =>
      supervisor.isReady
        ? new Response("ok\n")
        : new Response("not ready: see /v1/status\n", { status: 503 }),
  };
}

async function operate(
  supervisor: Supervisor,
  operation: Operation,
  request: Request,
  url: URL,
): Promise<Response> {
  let options: OperationOptions;
  try {
    options = await operationOptions(operation, request, url);
  } catch (error) {
    return answer({ ok: false, fault: asFault(error).toJSON() }, 400);
  }
  const run = (tell: Tell) => start(supervisor, operation, options, tell);
  if (request.headers.get("accept")?.includes(STREAM_TYPE) === true) return stream(run);
  try {
    return answer({ ok: true, report: await run(() => {}) }, 200);
  } catch (error) {
    return answer({ ok: false, fault: asFault(error).toJSON() }, 422);
  }
}

function start(
  supervisor: Supervisor,
  operation: Operation,
  options: OperationOptions,
  tell: Tell,
): Promise<Report> {
  switch (operation) {
    case "stop":
    case "quit":
      return supervisor.shutDown(operation, BY, tell);
    case "restart":
      return supervisor.operations.restart(BY, tell);
    case "logrotate":
      return supervisor.operations.logrotate(BY);
    case "upgrade":
      return supervisor.operations.upgrade(options.binary ?? null, options.id ?? "", BY, tell);
    case "reload": {
      const { pools = [], wait = true, dry_run = false, config = null, changed = false } = options;
      const request = { pools, config, changed };
      return dry_run
        ? supervisor.operations.plan(request)
        : supervisor.operations.reload({ ...request, wait }, BY, tell);
    }
  }
}

/** The steps as they happen, then the answer; the status is 200 before it is known how it ends. */
function stream(run: (tell: Tell) => Promise<Report>): Response {
  const encoder = new TextEncoder();
  let open = true;
  const body = new ReadableStream<Uint8Array>({
    // Who asked has gone; what was asked for goes on.
    cancel() {
      open = false;
    },
    async start(controller) {
      const line = (value: unknown) => {
        if (open) controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
      };
      try {
        line({ ok: true, report: await run(line) } satisfies OperationAnswer);
      } catch (error) {
        line({ ok: false, fault: asFault(error).toJSON() } satisfies OperationAnswer);
      }
      if (open) controller.close();
      open = false;
    },
  });
  return new Response(body, { headers: { "content-type": STREAM_TYPE } });
}

function answer(body: OperationAnswer, status: number): Response {
  return Response.json(body, { status });
}

function wrongMethod(allow: string): Response {
  const fault = new Fault(`this takes ${allow} only`).toJSON();
  return Response.json({ ok: false, fault } satisfies OperationAnswer, {
    status: 405,
    headers: { allow },
  });
}

function unreadable(): Response {
  const fault = new Fault("the URL cannot be read", {
    hint: "is the Host header a name? With curl: http://localhost/v1/status",
  });
  return answer({ ok: false, fault: fault.toJSON() }, 400);
}

function notFound(path: string): Response {
  const known = [
    ...OPERATIONS.map((word) => `POST /v1/${word}`),
    ...["/v1/status", "/v1/config", "/metrics", "/healthz", "/readyz"].map((page) => `GET ${page}`),
  ];
  const fault = new Fault(`there is nothing at ${path}`, { hint: known.join(", ") }).toJSON();
  return answer({ ok: false, fault }, 404);
}
