// A Trace as text for people: of each worker its request, what it waits for, and its stack.

import type { StackTrace, Trace, WorkerTrace } from "../../admin/contract.ts";
import { escapeControls } from "../../log/escape.ts";
import { count, elapsed } from "../../log/words.ts";
import { callText, placeText } from "../../observe/stack-text.ts";

/** `of`: what was asked for, or null. */
export function traceText({ workers, idle }: Trace, of: string | null): string {
  if (workers.length === 0) return nobodyText(idle, of);
  return workers.map((worker) => workerLines(worker).map(escapeControls).join("\n")).join("\n\n");
}

function nobodyText(idle: number, of: string | null): string {
  const where = of === null ? "" : ` of pool ${of}`;
  if (idle === 0) return `there is no worker${where}`;
  return `no worker${where} is busy: ${count(idle, "worker")} ${idle === 1 ? "waits" : "wait"} for a connection`;
}

function workerLines(worker: WorkerTrace): string[] {
  const { pid, pool, state, request, request_ms, waiting, stack } = worker;
  const since = request_ms === null ? "" : ` for ${elapsed(request_ms)}`;
  const what = request === null ? "" : `: ${request.method} ${request.uri || request.script}`;
  return [
    `worker ${pid} of pool ${pool}, ${state}${since}${what}`,
    ...(request === null || request.uri === "" ? [] : [`  script  ${request.script}`]),
    ...(waiting === null ? [] : [`  it is   ${waiting.text}`]),
    ...stackLines(stack).map((line) => `  ${line}`),
  ];
}

function stackLines({ frames, cut, moving, unsure }: StackTrace): string[] {
  if (unsure !== null) return [`the stack cannot be told: ${unsure}`];
  const names = frames.map(callText);
  const width = Math.min(NAME_MOST, Math.max(0, ...names.map((name) => name.length)));
  return [
    ...(moving ? ["(functions that come and go too fast to be read)"] : []),
    ...frames.map((frame, i) => `${names[i]!.padEnd(width)}  ${placeText(frame)}`.trimEnd()),
    ...(cut ? [`(there are more frames than these ${frames.length})`] : []),
  ];
}

/** Characters; a longer name pushes its own place aside. */
const NAME_MOST = 40;
