// What `GET /v1/logs` and `GET /v1/events` may be told, and their answer: objects, one a line.

import { duration } from "../config/settings/durations.ts";
import { Fault } from "../fault.ts";
import { type Follower, FOLLOWERS_MOST, type RecentLog, type Wanted } from "../log/recent.ts";
import type { LogLevel } from "../log/settings.ts";
import { wallClock } from "../sys/clock.ts";
import { faultAnswer } from "./answer.ts";
import { LOG_ID_HEADER, STREAM_TYPE } from "./contract.ts";

interface Query {
  readonly wanted: Wanted;
  readonly follow: boolean;
}

/** `level` and `output`: what this page has of it all. */
export type LogPage = { readonly level: LogLevel; readonly output: boolean };

const TAKES = ["pool", "since", "lines", "follow", "log", "after"] as const;

/** `pools`: those that there are. Answers with status 400 what it does not understand. */
export function logAnswer(
  recent: RecentLog,
  page: LogPage,
  query: URLSearchParams,
  pools: readonly string[],
): Response {
  try {
    const { wanted, follow } = queryOf(recent, page, query, pools);
    const headers = { "content-type": STREAM_TYPE, [LOG_ID_HEADER]: recent.id };
    if (!follow) {
      const lines = recent.select(wanted).map(({ json }) => `${json}\n`);
      return new Response(lines.join(""), { headers });
    }
    const follower = recent.follow(wanted);
    return follower === null ? tooMany() : new Response(streamOf(follower), { headers });
  } catch (error) {
    if (error instanceof Fault) return faultAnswer(error, 400);
    throw error;
  }
}

function queryOf(
  recent: RecentLog,
  { level, output }: LogPage,
  query: URLSearchParams,
  pools: readonly string[],
): Query {
  for (const name of query.keys())
    if (!TAKES.some((known) => known === name))
      throw new Fault(`"${name}" is not known here`, { hint: `it takes ${TAKES.join(", ")}` });
  const pool = query.get("pool");
  const isKnown = pool === null || pools.includes(pool);
  if (!isKnown && recent.select({ level: "debug", output: true, pool }).length === 0)
    throw new Fault(`there is no pool "${pool}"`, { hint: `pools: ${pools.join(", ")}` });
  const since = sinceOf(query.get("since"));
  const last = countOf(query, "lines");
  // Another supervisor's numbers mean nothing here.
  const after = query.get("log") === recent.id ? countOf(query, "after") : null;
  return {
    follow: ["true", "1", ""].includes(query.get("follow") ?? "false"),
    wanted: {
      level,
      output,
      pool,
      ...(since === null ? {} : { since }),
      ...(last === null ? {} : { last }),
      ...(after === null ? {} : { after }),
    },
  };
}

function sinceOf(text: string | null): number | null {
  if (text === null) return null;
  const parsed = duration().parse(text, "");
  if ("ok" in parsed) return wallClock().getTime() - parsed.ok;
  throw new Fault(`since: ${parsed.problem}`, { hint: parsed.hint ?? "for example: 10m" });
}

function countOf(query: URLSearchParams, name: "lines" | "after"): number | null {
  const text = query.get(name);
  if (text === null) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Fault(`${name}: "${text}" is not a number`, { hint: "for example: 20" });
}

function tooMany(): Response {
  const fault = new Fault(`${FOLLOWERS_MOST} follow the log already`, {
    hint: "end one of them, or ask without follow",
  });
  return faultAnswer(fault, 503);
}

/** The reader draws it; what comes while he does not is the follower's to bound. */
function streamOf(follower: Follower): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      cancel: () => follower.close(),
      async pull(controller) {
        const lines = await follower.next();
        if (lines === null) controller.close();
        else controller.enqueue(encoder.encode(lines.map((line) => `${line}\n`).join("")));
      },
    },
    { highWaterMark: 0 },
  );
}
