// max_workers: how many workers of all pools may be active at once. Pure: what each pool has and wants goes
// in, how many it may have comes out. Each has its least; where more is wanted than there is, the rest is
// divided by what each wants beyond that. Who has more than its share gives up what is idle when somebody
// else is short of it, and not before.

export interface Claim {
  /** So many it has in any case. */
  readonly least: number;
  /** So many it would have now: those that are busy, those for whom somebody waits, and its spares. */
  readonly wanted: number;
  readonly active: number;
}

/** How many each may have active now, none of them less than its least. */
export function allowances(claims: readonly Claim[], most: number): number[] {
  const shares = fairShares(claims, most);
  const lacks = claims.map(({ wanted, active }, i) =>
    Math.max(0, Math.min(wanted, shares[i]!) - active),
  );
  const free = Math.max(0, most - sum(claims.map(({ active }) => active)));
  const missing = Math.max(0, sum(lacks) - free);
  return claims.map(({ active }, i) => {
    const share = shares[i]!;
    if (lacks[i]! > 0) return Math.min(share, active + free);
    return Math.max(share, active - missing);
  });
}

/** Whether some pool has to do with fewer than it wants. */
export function isScarce(claims: readonly Claim[], most: number): boolean {
  return sum(claims.map(({ wanted, least }) => Math.max(wanted, least))) > most;
}

function fairShares(claims: readonly Claim[], most: number): number[] {
  const extra = claims.map(({ wanted, least }) => Math.max(0, wanted - least));
  const rest = Math.max(0, most - sum(claims.map(({ least }) => least)));
  const all = sum(extra);
  if (all <= rest) return claims.map(({ least }, i) => least + extra[i]!);
  const exact = extra.map((each) => (each * rest) / all);
  // What rounding leaves over goes to those that it cost most.
  const byLoss = exact
    .map((each, i) => ({ i, loss: each - Math.floor(each) }))
    .toSorted((a, b) => b.loss - a.loss);
  const over = rest - sum(exact.map(Math.floor));
  const lucky = new Set(byLoss.slice(0, over).map(({ i }) => i));
  return claims.map(({ least }, i) => least + Math.floor(exact[i]!) + (lucky.has(i) ? 1 : 0));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}
