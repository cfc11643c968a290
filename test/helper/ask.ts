// An operation that is asked for over the control socket, with the steps that it tells on its way: the
// evidence of how far it has come.

import type { Supervisor } from "./program.ts";
import { eventually } from "./wait.ts";

/** A line of an answer that tells its steps: a step, or at the end what came of it. */
export type Line = Readonly<Record<string, unknown>>;

export interface Asked {
  /** What it has told so far. */
  readonly lines: readonly Line[];
  /** Resolves when it has told this step; rejects when it ends without. */
  readonly told: (step: string) => Promise<Line>;
  /** The last line. */
  readonly answer: Promise<Line>;
}

/** Asks for an operation, such as `reload` or `reload?wait=false`. */
export function ask(supervisor: Supervisor, operation: string): Asked {
  const lines: Line[] = [];
  const answer = collect(supervisor, operation, lines);
  answer.catch(() => {});
  const find = (step: string) => lines.find((line) => line["step"] === step);
  const told = (step: string) =>
    Promise.race([
      eventually(() => find(step), { every: 2, what: `${operation} tells that it is ${step}` }),
      answer.then((last) => {
        const line = find(step);
        if (line !== undefined) return line;
        throw new Error(`${operation} was never ${step}: ${JSON.stringify(last)}`);
      }),
    ]);
  return { lines, told, answer };
}

async function collect(supervisor: Supervisor, operation: string, lines: Line[]): Promise<Line> {
  const { body } = await supervisor.http(`/v1/${operation}`, {
    method: "POST",
    headers: { accept: "application/x-ndjson" },
    keepalive: false,
  });
  for await (const text of textLines(body!)) lines.push(JSON.parse(text) as Line);
  return lines.at(-1) ?? {};
}

async function* textLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
  }
}
