// What every holder of a listening socket can change for all the others, the supervisor among them: any
// script of any worker is a holder. Each is looked at, and has a way to be set right.

import { otherOptions, putBack, type SocketOptions } from "../sys/socket/socket-options.ts";
import type { BpfInstruction } from "../sys/socket/socket.ts";
import {
  clearAcceptTimeout,
  hasAcceptTimeout,
  hasFilter,
  isAccepting,
  isBlocking,
  isFilterLocked,
  makeBlocking,
} from "../sys/socket/socket.ts";

export interface Flaw {
  /** How it was found, as the end of "it was …". */
  readonly was: string;
  readonly heal: () => void;
}

export interface Wanted {
  /** The program of allowed_clients; null = none. */
  readonly filter: readonly BpfInstruction[] | null;
  readonly attach: () => void;
  /** Options of a TCP socket as they were set up, and as a new one has them now; null of one of another kind. */
  readonly options: { readonly own: SocketOptions; readonly usual: () => SocketOptions } | null;
  /** How many connections may wait, as the kernel told when it was set; null = it does not tell. */
  readonly limit: number | null;
  /** The same now. */
  readonly limitNow: () => number | null;
  /** Whether it hears only who signs (TCP_MD5SIG). */
  readonly isSigned: () => boolean;
  /** Lets it listen again, by whatever it takes. */
  readonly listen: () => void;
  /** Another socket in its place. */
  readonly reopen: () => void;
}

/** All that is not as it was set up; that it is deaf comes first, because healing it may set up the rest. */
export function flawsOf(fd: number, wanted: Wanted): Flaw[] {
  if (!isAccepting(fd)) return [{ was: "shut down", heal: wanted.listen }];
  const flaws: Flaw[] = [];
  if (!isBlocking(fd)) flaws.push({ was: "non-blocking", heal: () => makeBlocking(fd) });
  if (hasAcceptTimeout(fd))
    flaws.push({ was: "given a timeout", heal: () => clearAcceptTimeout(fd) });
  const limit = wanted.limitNow();
  if (limit !== null && wanted.limit !== null && limit !== wanted.limit)
    flaws.push({ was: `given a backlog of ${limit}`, heal: wanted.listen });
  if (!hasFilter(fd, wanted.filter))
    flaws.push({
      was: wanted.filter === null ? "given a filter" : "without its allowed_clients",
      heal: wanted.attach,
    });
  else if (wanted.options !== null && isFilterLocked(fd))
    // allowed_clients could never be changed again.
    flaws.push({ was: "with a filter that is locked", heal: wanted.reopen });
  if (wanted.isSigned())
    flaws.push({ was: "given keys that clients would have to sign with", heal: wanted.reopen });
  if (wanted.options !== null) flaws.push(...optionFlaws(fd, wanted.options, wanted.reopen));
  return flaws;
}

/** Some follow what is set for the whole machine (sysctl): what is as a new socket has it nobody has changed. */
function optionFlaws(
  fd: number,
  { own, usual }: NonNullable<Wanted["options"]>,
  reopen: () => void,
): Flaw[] {
  const others = otherOptions(fd, own);
  const unusual = others.length === 0 ? [] : otherOptions(fd, usual());
  return others
    .filter((name) => unusual.includes(name))
    .map((name) => ({
      was: `with another ${name}`,
      heal: () => {
        if (!putBack(fd, name, own)) reopen();
      },
    }));
}
