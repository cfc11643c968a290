// A Fault is an error meant for a person. It owns the four things a tired operator needs: what
// happened, where, what to do next, and what caused it. Anything thrown that is not a Fault is a bug.

/** A place in a file. Line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  /** The text of that line, shown with a caret under the column. */
  readonly text?: string;
}

export interface FaultDetails {
  /** Where it happened: a place in a file, or a word for it ("pool www", "127.0.0.1:9000"). */
  readonly where?: Place | string;
  /** What to do next, as a full sentence or command. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Further faults that this one sums up, each printed below it. */
  readonly parts?: readonly Fault[];
  /** What the process exits with when this fault ends it: 1 failed, 2 usage, 3 not running. */
  readonly exitCode?: 1 | 2 | 3;
}

/** A Fault as it travels over the control socket. */
export interface FaultJson {
  message: string;
  where?: Place | string;
  hint?: string;
  cause?: string;
  parts?: FaultJson[];
}

export class Fault extends Error {
  readonly where: Place | string | undefined;
  readonly hint: string | undefined;
  readonly parts: readonly Fault[];
  readonly exitCode: 1 | 2 | 3;

  constructor(message: string, details: FaultDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = "Fault";
    this.where = details.where;
    this.hint = details.hint;
    this.parts = details.parts ?? [];
    this.exitCode = details.exitCode ?? 1;
  }

  toJSON(): FaultJson {
    return {
      message: this.message,
      ...(this.where === undefined ? {} : { where: this.where }),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.cause === undefined ? {} : { cause: causeText(this.cause) }),
      ...(this.parts.length === 0 ? {} : { parts: this.parts.map((p) => p.toJSON()) }),
    };
  }

  static fromJSON(json: FaultJson): Fault {
    const { message, parts, ...rest } = json;
    return new Fault(message, { ...rest, ...(parts ? { parts: parts.map(Fault.fromJSON) } : {}) });
  }
}

/** Turns anything thrown into a Fault; a Fault stays itself. */
export function asFault(error: unknown, message?: string): Fault {
  if (error instanceof Fault) return error;
  const text = causeText(error);
  return message === undefined
    ? new Fault(text, { cause: error })
    : new Fault(message, { cause: error });
}

export function placeText(where: Place | string): string {
  if (typeof where === "string") return where;
  return [where.file, where.line, where.column].filter((p) => p !== undefined).join(":");
}

/**
 * The fault as lines for a terminal or a log: `WHERE: message`, the source line with a caret,
 * `cause: …`, `hint: …`, then its parts.
 */
export function faultLines(fault: Fault): string[] {
  const lines = [
    fault.where === undefined ? fault.message : `${placeText(fault.where)}: ${fault.message}`,
  ];
  if (typeof fault.where === "object" && fault.where.text !== undefined) {
    const text = fault.where.text.replaceAll("\t", " ");
    lines.push(`    ${text}`);
    if (fault.where.column !== undefined) lines.push(`    ${" ".repeat(fault.where.column - 1)}^`);
  }
  if (fault.cause !== undefined && causeText(fault.cause) !== fault.message) {
    lines.push(`  cause: ${causeText(fault.cause)}`);
  }
  if (fault.hint !== undefined) lines.push(`  hint: ${fault.hint}`);
  for (const part of fault.parts) lines.push(...faultLines(part).map((line) => `  ${line}`));
  return lines;
}

/** The same as a text for a terminal; a line end inside does not let what follows pass for a line of ours. */
export function faultText(fault: Fault): string {
  return faultLines(fault)
    .map((line) => line.replaceAll("\n", "\n      "))
    .join("\n");
}

function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
