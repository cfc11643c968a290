// The request a worker is in, as far as can be told from outside, and what tells it from the next one.

import type { Connection } from "./activity.ts";

/** As far as the program's own record tells. */
export interface WorkerRequest {
  /** The connection may carry further requests. */
  readonly kept: boolean;
  readonly method: string;
  readonly uri: string;
  /** Without the question mark. */
  readonly query: string;
  readonly script: string;
  /** Bytes of its body; 0 without one. */
  readonly contentLength: number;
}

/** "none": between requests; null: the program keeps no record that can be read. */
export type RequestRecord = WorkerRequest | "none" | null;

/**
 * Tells one request from the next; null when there is none. A connection that is not kept is one
 * request. One that is kept may carry many, so what the program says of the request and how much the
 * worker has read (`bytesRead`) count too: a request that reads all the time over a kept connection looks
 * like many short ones.
 */
export function requestIdentity(
  { inode, awaited }: Connection,
  record: RequestRecord,
  bytesRead: () => number | null,
): string | null {
  if (awaited || record === "none") return null;
  if (record !== null && !record.kept) return inode;
  return [inode, record?.method, record?.uri, record?.script, bytesRead()].join(" ");
}
