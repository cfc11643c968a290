// The request headers of `request` and `bench`: as given on the command line, and those that a web
// client would send by itself.

import { usageFault } from "../usage.ts";

export type Header = readonly [string, string];

/** Throws a usage fault of that command. */
export function headerOf(text: string, command: string): Header {
  const match = /^([^\s:]+)\s*:\s*(.*)$/s.exec(text);
  if (match) return [match[1]!, match[2]!];
  throw usageFault(`--header: "${text}" is not of the form "Name: value"`, command);
}

/** The headers that a web client would send by itself. */
export function withClientHeaders(headers: readonly Header[], hasBody: boolean): Header[] {
  const has = (wanted: string) => headers.some(([name]) => name.toLowerCase() === wanted);
  const form: Header = ["Content-Type", "application/x-www-form-urlencoded"];
  return [
    ...(has("host") ? [] : [["Host", "localhost"] as const]),
    ...(hasBody && !has("content-type") ? [form] : []),
    ...headers,
  ];
}
