// What a CGI program writes, header block and body, read as web servers read it (RFC 3875,
// section 6): `Status:` sets the status, `Location:` without one means 302, else it is 200.

import { Fault } from "../fault.ts";

export interface CgiResponse {
  readonly status: number;
  /** As sent and in that order, without `Status`. */
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: Uint8Array;
}

/** Longer header blocks are refused; nginx allows 4 to 8 kB by default. */
export const HEADER_BLOCK_MAX = 256 * 1024;

const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:[ \t]*(.*?)[ \t]*$/;
const LF = 10;
const CR = 13;

/** Throws a Fault when there is no header block, or a line in it is no header. */
export function parseCgiResponse(bytes: Uint8Array): CgiResponse {
  const end = headerEnd(bytes);
  if (end === null || end <= 2) throw noHeaders(bytes);
  const text = Buffer.from(bytes.subarray(0, end)).toString("utf8");
  const all = text
    .split(/\r?\n/)
    .filter((line) => line !== "")
    .map(field);
  const headers = all.filter(([name]) => name.toLowerCase() !== "status");
  return { status: statusOf(all), headers, body: bytes.subarray(end) };
}

/** Where the body begins, behind the first empty line; null when there is none. */
function headerEnd(bytes: Uint8Array): number | null {
  let lineStart = 0;
  while (lineStart < HEADER_BLOCK_MAX) {
    const newline = bytes.indexOf(LF, lineStart);
    if (newline < 0) return null;
    const length = newline - lineStart - (bytes[newline - 1] === CR ? 1 : 0);
    if (length <= 0) return newline + 1;
    lineStart = newline + 1;
  }
  return null;
}

function field(line: string): [string, string] {
  const match = FIELD.exec(line);
  if (match) return [match[1]!, match[2]!];
  throw new Fault(`the program sent ${shown(line)} where a header should stand`, {
    hint: "it must write its headers, then an empty line, before anything else",
  });
}

function statusOf(headers: ReadonlyArray<readonly [string, string]>): number {
  const find = (wanted: string) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
  const status = find("status");
  if (status === undefined) return find("location") === undefined ? 200 : 302;
  const match = /^([1-9][0-9]{2})(\s|$)/.exec(status);
  if (match) return Number(match[1]);
  throw new Fault(`the program sent the status ${shown(status)}`, {
    hint: 'a status is three digits and a reason, like "404 Not Found"',
  });
}

function noHeaders(bytes: Uint8Array): Fault {
  const what = bytes.length === 0 ? "nothing at all" : shown(Buffer.from(bytes).toString("utf8"));
  return new Fault(`the answer has no CGI headers: the program sent ${what}`, {
    hint: "it must write at least one header and an empty line before the body",
  });
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
