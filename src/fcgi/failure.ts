// The ways in which a FastCGI request fails, told apart because each has another cure: a Fault with
// one more word, `kind`, for callers that count or retry.

import { statSync } from "node:fs";
import { type Address, addressText } from "../sys/socket/address.ts";
import { Fault } from "../fault.ts";
import type { ProtocolStatus } from "./record.ts";

export type FailureKind =
  | "refused"
  | "no-socket"
  | "permission"
  | "unreachable"
  | "queue-full"
  | "timeout-connect"
  | "timeout-first-byte"
  | "timeout-body"
  | "closed-before"
  | "closed-in-body"
  | "overloaded"
  | "cannot-multiplex"
  | "unknown-role"
  | "not-fastcgi"
  | "bad-headers"
  | "too-large"
  | "bad-input"
  | "aborted";

export class FcgiFault extends Fault {
  readonly kind: FailureKind;
  constructor(kind: FailureKind, message: string, where: string, hint?: string, cause?: unknown) {
    super(message, {
      where,
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
    this.name = "FcgiFault";
    this.kind = kind;
  }
}

/** The Fault for an error of connect(2), by its code. */
export function connectFailure(address: Address, error: unknown): FcgiFault {
  const code = (error as { code?: string }).code ?? "";
  const where = addressText(address);
  switch (code) {
    case "ENOENT":
      return new FcgiFault(
        "no-socket",
        "there is no such socket",
        where,
        "is the pool running, and is this its path?",
      );
    case "EACCES":
    case "EPERM":
      return new FcgiFault(
        "permission",
        "permission to connect denied",
        where,
        "a Unix socket wants write permission on itself, and search permission on its folders",
      );
    case "ECONNREFUSED":
      return refused(address, where);
    default:
      return new FcgiFault("unreachable", `cannot connect (${code})`, where, undefined, error);
  }
}

function refused(address: Address, where: string): FcgiFault {
  if (address.kind === "unix" && !isSocket(address.path)) {
    return new FcgiFault("no-socket", "this is no socket", where, "check the path");
  }
  return new FcgiFault(
    "refused",
    "connection refused: nobody listens here",
    where,
    "is the pool running? See: fcgivisor status",
  );
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** What the program says when the protocol ends the request instead of an answer; null = fine. */
export function protocolFailure(status: ProtocolStatus, where: string): FcgiFault | null {
  switch (status) {
    case "REQUEST_COMPLETE":
      return null;
    case "OVERLOADED":
      return new FcgiFault(
        "overloaded",
        "the program refused the request: it is overloaded (FCGI_OVERLOADED)",
        where,
        "try again later, or give the pool more workers",
      );
    case "CANT_MPX_CONN":
      return new FcgiFault(
        "cannot-multiplex",
        "the program refused the request: one at a time on a connection (FCGI_CANT_MPX_CONN)",
        where,
      );
    case "UNKNOWN_ROLE":
      return new FcgiFault(
        "unknown-role",
        "the program refused the request: it is no Responder (FCGI_UNKNOWN_ROLE)",
        where,
        "an Authorizer or a Filter cannot serve pages",
      );
  }
}
