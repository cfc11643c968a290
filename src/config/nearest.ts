// Finds the name that somebody probably meant.

/** "stat" is the beginning of "status", though "start" is nearer; "s" may be anything. */
const SHORTEST_BEGINNING = 3;

/** The known name nearest to `name`, or null when none is near enough to be a slip of the pen. */
export function nearest(name: string, known: readonly string[]): string | null {
  const plain = name.toLowerCase();
  const begun = begunBy(name, known);
  if (begun.length === 1) return begun[0]!;
  let best: string | null = null;
  let bestDistance = Math.min(8, Math.max(1, Math.floor(plain.length / 3))) + 1;
  for (const candidate of known) {
    // Every letter too many or too few is a step.
    if (Math.abs(candidate.length - plain.length) >= bestDistance) continue;
    const distance = editDistance(plain, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** So many that begin alike are all named. */
const ALIKE_MOST = 3;

/** What a message about an unknown name ends with: `; did you mean "reload"?`, or nothing. */
export function didYouMean(name: string, known: readonly string[]): string {
  const begun = begunBy(name, known);
  const close = nearest(name, known);
  const meant =
    begun.length > 1 && begun.length <= ALIKE_MOST ? begun : close === null ? [] : [close];
  return meant.length === 0 ? "" : `; did you mean ${meant.map((it) => `"${it}"`).join(" or ")}?`;
}

function begunBy(name: string, known: readonly string[]): string[] {
  const plain = name.toLowerCase();
  if (plain.length < SHORTEST_BEGINNING) return [];
  return known.filter((candidate) => candidate.toLowerCase().startsWith(plain));
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
