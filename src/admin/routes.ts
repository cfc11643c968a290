// From a request on a control socket to the supervisor and back: who may ask for what, and nothing else is
// decided here.

import { configToJson } from "../config/derived/wire.ts";
import type { AdminConfig } from "../config/model.ts";
import type { Emit } from "../event.ts";
import { asFault, Fault } from "../fault.ts";
import { jsonText } from "../log/escape.ts";
import type { RecentLog } from "../log/recent.ts";
import type { Tell } from "../supervisor/operations/operation-queue.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { Peer } from "../sys/socket/peer.ts";
import { isOurs } from "../sys/trust.ts";
import { faultAnswer, jsonAnswer } from "./answer.ts";
import { auditOf, optionsText, personText } from "./audit.ts";
import {
  type OperationAnswer,
  type Operation,
  OPERATIONS,
  type OperationOptions,
  type Report,
  STREAM_TYPE,
} from "./contract.ts";
import type { Asked, Handle } from "./http.ts";
import { logAnswer, type LogPage } from "./log-query.ts";
import { masked, maskedReport } from "./masked.ts";
import { type Looking, openPages, type Pages } from "./open-pages.ts";
import { operationOptions } from "./options.ts";
import { mayOperate, type Role, roleOf } from "./role.ts";
import { traceAnswer } from "./trace.ts";

/** What there is to ask, and of whom. */
export interface Service {
  readonly supervisor: Supervisor;
  readonly recent: RecentLog;
  readonly admin: AdminConfig;
  readonly emit: Emit;
}

/** Whoever has connected may do what is his role's (role.ts), and nothing that is root's alone (`rightFault`). */
export function routes(service: Service): Handle {
  return async (asked) => {
    const { pathname } = asked.url;
    const role = roleOf(asked.peer, service.admin);
    const operation = OPERATIONS.find((word) => pathname === `/v1/${word}`);
    if (operation === undefined) return look(pagesFor(role, service), asked);
    return asked.method === "POST" ? operate(service, operation, role, asked) : wrongMethod("POST");
  };
}

function pagesFor(role: Role, service: Service): Pages {
  if (role === "none") return {};
  return role === "reader" ? openPages(lookingAt(service)) : pages(service);
}

function lookingAt({ supervisor, admin }: Service): Looking {
  return { supervisor, socket: admin.socket };
}

function poolNames({ config }: Supervisor): string[] {
  return config.pools.map(({ name }) => name);
}

/** Who may write to the read-only socket may look, but not at the config. */
export function readOnlyRoutes(service: Service): Handle {
  return async (asked) => {
    return look(openPages(lookingAt(service)), asked);
  };
}

/** Answers with one of these pages; to other paths and methods it says what there is. */
export async function look(all: Pages, asked: Asked): Promise<Response> {
  const { method, url } = asked;
  const page = Object.hasOwn(all, url.pathname) ? all[url.pathname] : undefined;
  if (Object.keys(all).length === 0) return notForYou();
  if (page === undefined) return notFound(url.pathname, Object.keys(all));
  return method === "GET" || method === "HEAD" ? page(asked) : wrongMethod("GET");
}

/** For who may control the supervisor: what workers write is among the lines of the log. */
function pages(service: Service): Pages {
  const { supervisor, recent } = service;
  const lines =
    (page: LogPage) =>
    ({ url: { searchParams } }: Asked) =>
      logAnswer(recent, page, searchParams, poolNames(supervisor));
  return {
    ...openPages(lookingAt(service)),
    "/v1/config": ({ peer }) =>
      jsonAnswer(configToJson(isOwn(peer) ? supervisor.config : masked(supervisor.config))),
    "/v1/diff": ({ url, peer }) => differenceAnswer(supervisor, url.searchParams, peer),
    "/v1/trace": ({ url }) => traceAnswer(supervisor.traces, url),
    "/v1/logs": lines({ level: supervisor.config.log.level, output: true }),
    "/v1/events": lines({ level: "debug", output: false }),
  };
}

function differenceAnswer(
  { operations }: Supervisor,
  query: URLSearchParams,
  peer: Peer | null,
): Response {
  const text = query.get("generation");
  if (text !== null && !/^[1-9][0-9]{0,14}$/.test(text))
    return faultAnswer(new Fault("`generation` must be the number of one"), 400);
  try {
    const report = operations.difference(text === null ? null : Number(text));
    const shown = isOwn(peer) ? report : maskedReport(report);
    return jsonAnswer({ ok: true, report: shown } satisfies OperationAnswer);
  } catch (error) {
    return faultAnswer(asFault(error), 422);
  }
}

/** Checks it, does it, and leaves a line in the log: who has asked, for what, and what came of it. */
async function operate(
  service: Service,
  operation: Operation,
  role: Role,
  asked: Asked,
): Promise<Response> {
  const { supervisor } = service;
  const audit = auditOf(service, operation, asked.peer);
  if (!mayOperate(role, operation))
    return refused(notYours(operation, role, service.admin, asked.peer), 403);
  let options: OperationOptions;
  try {
    options = operationOptions(operation, asked);
  } catch (error) {
    return refused(asFault(error), 400);
  }
  const lack = rightFault(options, asked.peer);
  if (lack !== null) return refused(lack, 403);
  const by = `the control socket (${personText(asked.peer)})`;
  const run = async (tell: Tell) => {
    try {
      const report = await start(supervisor, operation, options, by, tell);
      audit("done", optionsText(options));
      return isOwn(asked.peer) ? report : maskedReport(report);
    } catch (error) {
      audit("failed", asFault(error).message);
      throw error;
    }
  };
  if (asked.accept.includes(STREAM_TYPE)) return stream(run);
  try {
    return jsonAnswer({ ok: true, report: await run(() => {}) } satisfies OperationAnswer);
  } catch (error) {
    return faultAnswer(asFault(error), 422);
  }

  function refused(fault: Fault, status: number): Response {
    audit("refused", fault.message);
    return faultAnswer(fault, status);
  }
}

function notForYou(): Response {
  const fault = new Fault("this control socket is not for this user", {
    hint: "root can let a group in: [admin] readers, or operators",
  });
  return faultAnswer(fault, 403, { connection: "close" });
}

function notYours(
  operation: Operation,
  role: Role,
  { operators, readers }: AdminConfig,
  peer: Peer | null,
): Fault {
  const lets =
    role === "operator"
      ? `[admin] operators = "${operators}" lets it use every word but stop, quit and upgrade`
      : role === "reader"
        ? `[admin] readers = "${readers}" lets it look, and do nothing`
        : "neither [admin] operators nor readers names a group it is in";
  return new Fault(`${operation} is not for ${peer?.user ?? "whoever asks"} to use`, {
    where: personText(peer),
    hint: `${lets}; root may use it`,
  });
}

/** What is named is executed as the user we are, a program as well as a config's commands: only he, and root, may name it. */
function rightFault({ binary, config }: OperationOptions, peer: Peer | null): Fault | null {
  if (isOwn(peer)) return null;
  const refuse = (what: string, hint: string) =>
    new Fault(`only root, or the user the supervisor runs as, may name ${what}`, {
      where: personText(peer),
      hint,
    });
  if (binary !== undefined)
    return refuse(
      "a program to become",
      "without a name, an upgrade becomes what now is in the program's own file",
    );
  if (config !== undefined)
    return refuse("another config", "without a name, a reload reads the config that is in force");
  return null;
}

function isOwn(peer: Peer | null): boolean {
  return peer !== null && isOurs(peer.uid);
}

function start(
  supervisor: Supervisor,
  operation: Operation,
  options: OperationOptions,
  by: string,
  tell: Tell,
): Promise<Report> {
  const { operations, control } = supervisor;
  const [pool] = options.pools ?? [];
  switch (operation) {
    case "stop":
      if (pool !== undefined) return operations.stopPool({ pool, by, tell });
      return supervisor.shutDown("stop", by, tell);
    case "quit":
      return supervisor.shutDown("quit", by, tell, options.lame_duck_ms);
    case "restart":
      return operations.restart(by, tell, pool ?? null);
    case "start":
      return operations.startPool({ pool: pool!, by, tell });
    case "scale":
      return control.scale({ pool: pool!, by, tell }, options.workers!);
    case "pause":
      return control.pause({ pool: pool!, by, tell });
    case "resume":
      return control.resume({ pool: pool!, by, tell });
    case "logrotate":
      return supervisor.operations.logrotate(by);
    case "upgrade":
      return supervisor.operations.upgrade(options.binary ?? null, options.id ?? "", by, tell);
    case "reload": {
      const { pools = [], wait = true, dry_run = false, config = null, changed = false } = options;
      const request = { pools, config, changed, waitProbation: options.wait_probation === true };
      return dry_run
        ? supervisor.operations.plan(request)
        : supervisor.operations.reload({ ...request, wait }, by, tell);
    }
    case "rollback": {
      const { generation = null, wait = true, dry_run = false } = options;
      return dry_run
        ? supervisor.operations.rollbackPlan(generation)
        : supervisor.operations.rollback({ generation, wait }, by, tell);
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
        if (open) controller.enqueue(encoder.encode(`${jsonText(value)}\n`));
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

function wrongMethod(allow: string): Response {
  return faultAnswer(new Fault(`this takes ${allow} only`), 405, { allow });
}

function notFound(path: string, all: readonly string[]): Response {
  const known = [
    ...(all.includes("/v1/config") ? OPERATIONS.map((word) => `POST /v1/${word}`) : []),
    ...all.map((page) => `GET ${page}`),
  ];
  return faultAnswer(new Fault(`there is nothing at ${path}`, { hint: known.join(", ") }), 404);
}
