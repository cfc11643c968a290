// GET /v1/trace: what the busy workers are doing, of a pool (`?pool=`) or a process (`?pid=`), all or so many of
// those that have been longest in their request (`?longest=`); with `?seconds=` where their time goes, sampled for so
// long and streamed as JSON lines.

import { asFault, Fault } from "../fault.ts";
import { jsonText } from "../log/escape.ts";
import type { SupervisorTraces } from "../supervisor/trace/traces.ts";
import type { TraceChoice } from "../supervisor/trace/traced.ts";
import { faultAnswer, jsonAnswer } from "./answer.ts";
import { STREAM_TYPE } from "./contract.ts";

const SECONDS_MOST = 600;
const LONGEST_MOST = 100;

export async function traceAnswer(traces: SupervisorTraces, url: URL): Promise<Response> {
  let wanted: TraceOptions;
  try {
    wanted = traceOptions(url.searchParams);
  } catch (error) {
    return faultAnswer(asFault(error), 400);
  }
  const { choice, seconds } = wanted;
  try {
    if (seconds === null) return jsonAnswer(await traces.trace(choice));
    return streamed(traces, choice, seconds);
  } catch (error) {
    return faultAnswer(asFault(error), 422);
  }
}

interface TraceOptions {
  readonly choice: TraceChoice;
  /** null: one look. */
  readonly seconds: number | null;
}

function traceOptions(query: URLSearchParams): TraceOptions {
  const known = ["pool", "pid", "longest", "seconds"];
  const names = [...query.keys()];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Fault(`"${unknown}" is not known here: trace takes only ${known.join(", ")}`);
  if (new Set(names).size < names.length) throw new Fault("trace takes each option once");
  const pid = query.get("pid");
  const seconds = query.get("seconds");
  if (pid !== null && !/^[1-9]\d{0,8}$/.test(pid))
    throw new Fault("`pid` must be the number of a process");
  const longest = query.get("longest");
  if (longest !== null && !(/^[1-9]\d{0,2}$/.test(longest) && Number(longest) <= LONGEST_MOST))
    throw new Fault(`\`longest\` must be a number up to ${LONGEST_MOST}`);
  if (longest !== null && seconds !== null)
    throw new Fault("`longest` and `seconds` do not go together");
  const isTime = seconds !== null && /^\d{1,4}(\.\d{1,3})?$/.test(seconds);
  if (seconds !== null && !(isTime && Number(seconds) > 0 && Number(seconds) <= SECONDS_MOST))
    throw new Fault(`\`seconds\` must be a number up to ${SECONDS_MOST}`);
  return {
    choice: {
      pool: query.get("pool"),
      pid: pid === null ? null : Number(pid),
      longest: longest === null ? null : Number(longest),
    },
    seconds: seconds === null ? null : Number(seconds),
  };
}

/** The batches as they come, then `{"done": true}`. Throws the Fault of what fails at once. */
function streamed(traces: SupervisorTraces, choice: TraceChoice, seconds: number): Response {
  const encoder = new TextEncoder();
  const end = new AbortController();
  let line: (value: unknown) => void = () => {};
  const done = traces.profile(choice, seconds * 1000, end.signal, (batch) => line(batch));
  const body = new ReadableStream<Uint8Array>({
    // Who asked has gone, and nobody else wants to know.
    cancel: () => end.abort(),
    start(controller) {
      line = (value) => {
        if (!end.signal.aborted) controller.enqueue(encoder.encode(`${jsonText(value)}\n`));
      };
      void done.then(() => {
        line({ done: true });
        if (!end.signal.aborted) controller.close();
      });
    },
  });
  return new Response(body, { headers: { "content-type": STREAM_TYPE } });
}
