// From an HTTP request to the supervisor and back. Nothing is decided here.

import { configToJson } from "../config/wire.ts";
import { asFault, Fault } from "../fault.ts";
import type { Tell } from "../supervisor/operations.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import {
  type Answer,
  type Operation,
  OPERATIONS,
  type OperationOptions,
  type Report,
  STREAM_TYPE,
} from "./contract.ts";
import { metricsText } from "./metrics.ts";

const BY = "the control socket";

export function routes(
  supervisor: Supervisor,
  socket: string,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
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
    options = await operationOptions(request, url);
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
      return supervisor.restart(BY, tell);
    case "logrotate":
      return supervisor.logrotate(BY);
    case "upgrade":
      return supervisor.upgrade(options.binary ?? null, options.id ?? "", BY, tell);
    case "reload": {
      const { pools = [], wait = true, dry_run = false } = options;
      return dry_run ? supervisor.plan(pools) : supervisor.reload({ pools, wait }, BY, tell);
    }
  }
}

async function operationOptions(request: Request, url: URL): Promise<OperationOptions> {
  const body = await request.text();
  const query = url.searchParams;
  const given: Record<string, unknown> = {
    ...(query.has("pool") ? { pools: query.getAll("pool") } : {}),
    ...(query.has("wait") ? { wait: query.get("wait") !== "false" } : {}),
    ...(query.has("dry_run") ? { dry_run: query.get("dry_run") !== "false" } : {}),
    ...(query.has("binary") ? { binary: query.get("binary") } : {}),
    ...(body === "" ? {} : parseBody(body)),
  };
  const { pools, wait, dry_run, binary, id, ...others } = given;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw bad(`"${unknown}" is not known here`);
  if (
    pools !== undefined &&
    !(Array.isArray(pools) && pools.every((name) => typeof name === "string"))
  ) {
    throw bad("`pools` must be a list of names");
  }
  for (const [name, value] of Object.entries({ wait, dry_run })) {
    if (value !== undefined && typeof value !== "boolean")
      throw bad(`\`${name}\` must be true or false`);
  }
  for (const [name, value] of Object.entries({ binary, id })) {
    if (value !== undefined && typeof value !== "string") throw bad(`\`${name}\` must be a text`);
  }
  return given as OperationOptions;
}

function parseBody(body: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    throw new Fault("the body is not JSON", {
      hint: 'example: {"pools": ["www"], "wait": false}',
      cause: error,
    });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw bad("the body must be an object");
  return parsed as Record<string, unknown>;
}

function bad(message: string): Fault {
  return new Fault(message, {
    hint: 'example: {"pools": ["www"], "wait": false, "dry_run": true}',
  });
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
        line({ ok: true, report: await run(line) } satisfies Answer);
      } catch (error) {
        line({ ok: false, fault: asFault(error).toJSON() } satisfies Answer);
      }
      if (open) controller.close();
      open = false;
    },
  });
  return new Response(body, { headers: { "content-type": STREAM_TYPE } });
}

function answer(body: Answer, status: number): Response {
  return Response.json(body, { status });
}

function wrongMethod(allow: string): Response {
  const fault = new Fault(`this takes ${allow} only`).toJSON();
  return Response.json({ ok: false, fault } satisfies Answer, { status: 405, headers: { allow } });
}

function notFound(path: string): Response {
  const known = [
    ...OPERATIONS.map((word) => `POST /v1/${word}`),
    ...["/v1/status", "/v1/config", "/metrics", "/healthz", "/readyz"].map((page) => `GET ${page}`),
  ];
  const fault = new Fault(`there is nothing at ${path}`, { hint: known.join(", ") }).toJSON();
  return answer({ ok: false, fault }, 404);
}
