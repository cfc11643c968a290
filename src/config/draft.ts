// What a reader of one format hands over: what stands where, not yet understood. It is all that the
// rest of the config code sees of TOML, XML or a command line.

import type { Where } from "./problems.ts";
import type { Source } from "./model.ts";

/** One value as written. */
export interface Entry {
  /** Name in the settings table: "listen.backlog". */
  readonly name: string;
  /** The name as the person wrote it, for messages. */
  readonly label: string;
  /** String, number, boolean, array or table, as TOML would give it; a table may be a Map. */
  readonly raw: unknown;
  readonly where: Where;
  /** The folder that a relative path is relative to. */
  readonly base: string;
  /** In a table of names and values: where one of them stands. */
  readonly placeOf?: (key: string) => Where;
  /** What is wrong with the text itself, where it does not even say a value. */
  readonly problem?: { readonly problem: string; readonly hint?: string };
  /** A later entry replaces it; it is checked all the same. */
  readonly replaced?: boolean;
  /** Every pool has this very entry. */
  readonly shared?: boolean;
}

export interface PoolDraft {
  readonly name: string;
  readonly where: Where;
  readonly entries: readonly Entry[];
  /** Lines that a conversion writes as comments. */
  readonly notes?: readonly string[];
}

export interface Draft {
  readonly source: Source;
  readonly supervisor: readonly Entry[];
  readonly admin: readonly Entry[];
  readonly log: readonly Entry[];
  readonly pools: readonly PoolDraft[];
  /** Legacy `daemonize`; null where the format has no such word. */
  readonly daemonize: boolean | null;
}
