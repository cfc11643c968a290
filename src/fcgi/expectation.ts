// What an answer should be like, and what is wrong with one that is not. Pure.

import type { FcgiResponse } from "./client.ts";

export interface Expectation {
  readonly status: number;
  /** Text that the body must contain; null = the status alone decides. */
  readonly expect: string | null;
}

const SHOWN_CHARACTERS = 200;

/** Completes "it answers with …"; null = it is as it should be. */
export function wrongWith(
  response: Pick<FcgiResponse, "status" | "body">,
  { status, expect }: Expectation,
): string | null {
  const body = new TextDecoder().decode(response.body);
  const wrong: string[] = [];
  if (response.status !== status) wrong.push(`status ${response.status} instead of ${status}`);
  if (expect !== null && !body.includes(expect)) {
    const shown = JSON.stringify(body.slice(0, SHOWN_CHARACTERS));
    wrong.push(`a body without ${JSON.stringify(expect)}: ${shown}`);
  }
  return wrong.length === 0 ? null : wrong.join(" and ");
}

/** The beginning of what the program wrote on its FastCGI stderr. */
export function shownStderr({ stderr }: Pick<FcgiResponse, "stderr">): string {
  return stderr.trim().slice(0, SHOWN_CHARACTERS);
}
