// The pages of the embedded responder: enough to show a supervisor at work and to provoke the cases
// that matter to one (a slow request, a crash, output on both error streams).

import { writeSync } from "node:fs";
import { sleep } from "../sys/clock.ts";
import type { ServerRequest } from "./request-reader.ts";

export interface Page {
  readonly status: string;
  readonly body: Uint8Array | string;
  /** For FCGI_STDERR. */
  readonly stderr?: string;
  /** The process ends with this code once the page is sent. */
  readonly exitCode?: number;
}

/** What the process knows of itself. */
export interface ResponderFacts {
  readonly pid: number;
  /** Null where the supervisor does not tell it. */
  readonly generation: string | null;
  /** Requests so far, this one included. */
  readonly count: number;
}

type PageMaker = (asked: Asked) => Page | Promise<Page>;

interface Asked {
  readonly request: ServerRequest;
  readonly query: URLSearchParams;
  readonly facts: ResponderFacts;
}

const PAGES: Readonly<Record<string, PageMaker>> = {
  "/": ({ facts }) =>
    ok(`fcgivisor responder\n${factsText(facts)}\nserved by one of several prefork workers\n`),
  async "/sleep"({ query, facts }) {
    const ms = Math.min(Math.max(Number(query.get("ms") ?? 500) || 0, 0), SLEEP_MAX_MS);
    await sleep(ms);
    return ok(`slept ${ms} ms\n${factsText(facts)}\n`);
  },
  "/echo": ({ request }) => ok(echoed(request)),
  "/exit"({ query, facts }) {
    const exitCode = (Number(query.get("code") ?? 0) || 0) & 0xff;
    return { ...ok(`pid ${facts.pid} exits with code ${exitCode}\n`), exitCode };
  },
  "/stderr": ({ query }) => {
    const text = query.get("text") ?? "a line on FCGI_STDERR";
    return { ...ok(`sent to FCGI_STDERR: ${text}\n`), stderr: `${text}\n` };
  },
  "/log"({ query }) {
    const text = query.get("text") ?? "a line on descriptor 2";
    writeSync(2, `${text}\n`);
    return ok(`written to descriptor 2: ${text}\n`);
  },
};

const SLEEP_MAX_MS = 3_600_000;

/** The page for a request; paths are those of DOCUMENT_URI, else SCRIPT_NAME. */
export async function pageFor(request: ServerRequest, facts: ResponderFacts): Promise<Page> {
  const path = request.params.get("DOCUMENT_URI") || request.params.get("SCRIPT_NAME") || "/";
  const make = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined;
  if (make === undefined) {
    const known = Object.keys(PAGES).join(" ");
    return { status: "404 Not Found", body: `no page ${path}; there are ${known}\n` };
  }
  const query = new URLSearchParams(request.params.get("QUERY_STRING") ?? "");
  return make({ request, query, facts });
}

function ok(body: Uint8Array | string): Page {
  return { status: "200 OK", body };
}

function factsText({ pid, generation, count }: ResponderFacts): string {
  const part = generation === null ? "" : `generation ${generation}, `;
  return `pid ${pid}, ${part}request ${count}`;
}

function echoed(request: ServerRequest): Uint8Array {
  const params = [...request.params].map(([name, value]) => `${name}=${value}\n`).join("");
  return Buffer.concat([Buffer.from(`${params}\n`), request.body]);
}
