// What `smoke` tells: a line a request and a sum for people, the same as JSON, and as JUnit XML for pipelines. Pure.

import { escapeControls } from "../../log/escape.ts";
import { count, elapsed } from "../../log/words.ts";
import type { Smoked } from "./smoked.ts";

/** `shown` of all the results, and the sum of all. */
export function linesOf(shown: readonly Smoked[], all: readonly Smoked[]): string[] {
  const width = Math.max(...shown.map(({ pool }) => pool.length));
  const failed = all.filter(({ result }) => result.wrong !== null).length;
  return [
    ...shown.flatMap((one) => lineOf(one, width)),
    failed === 0 ? `${count(all.length, "request")} passed` : `${failed} of ${all.length} failed`,
  ];
}

function lineOf({ pool, request, result }: Smoked, width: number): string[] {
  const { wrong, status, ms, stderr } = result;
  const name = `${request.method} ${request.path}`;
  const outcome = wrong === null ? "ok    " : "FAILED";
  const time = status === null ? "" : `, ${status} in ${elapsed(ms)}`;
  return [
    `${pool.padEnd(width)}  ${outcome}  ${name}${time}`,
    ...(wrong === null ? [] : [`  ${wrong}`]),
    ...(stderr === "" ? [] : [`  it wrote: ${escapeControls(stderr)}`]),
  ];
}

/** With snake_case names, as all JSON here. */
export function resultsAsJson(results: readonly Smoked[]): unknown {
  const failed = results.filter(({ result }) => result.wrong !== null).length;
  return {
    ok: failed === 0,
    passed: results.length - failed,
    failed,
    requests: results.map(({ pool, request, result }) => ({
      pool,
      method: request.method,
      path: request.path,
      ok: result.wrong === null,
      status: result.status,
      duration_ms: Number(result.ms.toFixed(3)),
      wrong: result.wrong,
      stderr: result.stderr,
    })),
  };
}

export function junitText(results: readonly Smoked[]): string {
  const failed = results.filter(({ result }) => result.wrong !== null).length;
  const seconds = results.reduce((sum, { result }) => sum + result.ms, 0) / 1000;
  const sums = `tests="${results.length}" failures="${failed}" errors="0" skipped="0" time="${seconds.toFixed(3)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites ${sums}>
  <testsuite name="fcgivisor smoke" ${sums}>
${results.map(caseText).join("\n")}
  </testsuite>
</testsuites>
`;
}

function caseText({ pool, request, result }: Smoked): string {
  const { wrong, stderr, ms } = result;
  const name = xml(`${request.method} ${request.path}`);
  const open = `    <testcase classname="pool ${xml(pool)}" name="${name}" time="${(ms / 1000).toFixed(3)}"`;
  const inner = [
    ...(wrong === null ? [] : [`      <failure message="${xml(wrong)}"/>`]),
    ...(stderr === "" ? [] : [`      <system-err>${xml(stderr)}</system-err>`]),
  ];
  return inner.length === 0 ? `${open}/>` : `${open}>\n${inner.join("\n")}\n    </testcase>`;
}

/** What a worker says may hold characters that XML has not. */
function xml(text: string): string {
  return escapeControls(text)
    .toWellFormed()
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(/[\ufffe\uffff]/g, "\ufffd");
}
