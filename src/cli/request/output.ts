// How `request` prints an answer: the body on stdout untouched, so that it can be piped or compared;
// the program's stderr and the summary on stderr.

import { STATUS_CODES } from "node:http";
import type { FcgiResponse } from "../../fcgi/client.ts";
import { type Address, addressText } from "../../sys/socket/address.ts";
import { snakeNames } from "../../log/snake.ts";
import { printData } from "../print-data.ts";
import { printError, printJson } from "../print.ts";

/** The body; before it, when `include` is set, the status line and the headers as HTTP has them. */
export function printBody(response: FcgiResponse, include: boolean): void {
  const head = include ? Buffer.from(headText(response)) : Buffer.alloc(0);
  printData(Buffer.concat([head, response.body]));
}

/** All of the answer as one JSON object; the body as text, or as base64 where it is not UTF-8. */
export function printAnswer(response: FcgiResponse, address: Address): void {
  const { body, ...rest } = response;
  const text = utf8(body);
  const content =
    text === null ? { body_base64: Buffer.from(body).toString("base64") } : { body: text };
  const named = snakeNames(rest) as object;
  const json = { address: addressText(address), ...named, bytes: body.length, ...content };
  printJson(JSON.parse(JSON.stringify(json, rounded)));
}

/** Times to the microsecond; what is behind that is noise. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toFixed(3)) : value;
}

/** The FCGI_STDERR stream, line by line, told apart from our own words by its prefix. */
export function printStderr(response: FcgiResponse): void {
  if (response.stderr === "") return;
  const lines = response.stderr.replace(/\n$/, "").split("\n");
  printError(lines.map((line) => `stderr: ${line}\n`).join(""));
}

export function printSummary(response: FcgiResponse, address: Address): void {
  const { body, appStatus, totalMs } = response;
  const exit = appStatus === 0 ? "" : `, exit code ${appStatus}`;
  const bytes = body.length === 1 ? "1 byte" : `${body.length} bytes`;
  printError(
    `${statusText(response.status)}, ${bytes} in ${totalMs.toFixed(1)} ms from ${addressText(address)}${exit}\n`,
  );
}

function headText(response: FcgiResponse): string {
  const lines = response.headers.map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${statusText(response.status)}`, ...lines, "", ""].join("\r\n");
}

function statusText(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ""}`.trimEnd();
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
