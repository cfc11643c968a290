// request_timeout: a worker that is too long in one request is ended. Nobody asks the worker; what
// counts is for how long it is seen in the same request, so a limit is kept to within a look or two.

import type { Reader } from "../observe/scoreboard.ts";
import type { Sample } from "../observe/sample.ts";
import type { Group } from "../worker/group.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 200;
/** While no pool has a limit: one may get one. */
const AT_REST_MS = 1000;

export class RequestWatch implements Reader {
  private readonly pools: () => readonly Pool[];

  constructor(pools: () => readonly Pool[]) {
    this.pools = pools;
  }

  get everyMs(): number {
    return this.limitedGroups().length > 0 ? LOOK_EVERY_MS : AT_REST_MS;
  }

  look(sample: Sample): void {
    for (const group of this.limitedGroups()) lookAt(group, sample);
  }

  private limitedGroups(): Group[] {
    return this.pools()
      .flatMap((pool) => [pool.current, ...pool.leaving])
      .filter(({ context: { pool, runtime } }) => {
        return pool.requestTimeoutMs > 0 && !runtime.endsLongRequests(pool);
      })
      .flatMap((generation) => generation.all);
  }
}

function lookAt(group: Group, sample: Sample): void {
  const { pool, emit } = group.context;
  const limitMs = pool.requestTimeoutMs;
  for (const [pid, { since }] of sample.requests(group.members)) {
    const ageMs = since === null ? 0 : sample.takenAt - since;
    if (ageMs < limitMs) continue;
    emit({ type: "request-timeout", pool: pool.name, pid, ageMs, limitMs });
    group.endRequest(pid);
  }
}
