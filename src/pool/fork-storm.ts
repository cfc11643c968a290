// Whether a leader forks and forks although none of its workers lives to serve. Pure: what the kernel
// has counted goes in, the verdict comes out. The forks are counted, however little CPU the machine
// gives to them and to us: fork(2) write-protects the leader's memory, and each time it touches a few
// pages of it anew, while a leader that waits touches none. What reaped workers have read is counted,
// too: one that served has read its request. Looks at single workers can only acquit.

/** What was counted since the leader was last seen to do well. */
export interface ForkCount {
  /** Page faults of the leader. */
  readonly pageFaults: number;
  /** What the workers that it reaped had read; null = that cannot be seen. */
  readonly bytesRead: number | null;
  /** Workers forked meanwhile that are there now. */
  readonly young: number;
  /** Of these, how many wait for a connection, have one, or have done so. */
  readonly living: number;
  /** How many workers fewer there are than there should be. */
  readonly missing: number;
  /** Looks so far. */
  readonly looks: number;
}

export type ForkVerdict =
  /** The count may begin anew. */
  "well" | "undecided" | "storm";

/** Measured: 3, at times 2 or 4. */
const FAULTS_PER_FORK = 3;
/** So many workers ended without having served. Fewer can be killed, one by one, before they ever wait. */
const STORM_ENDS = 10;
/** So often nobody was seen to live. */
const STORM_LOOKS = 5;
/** Where what they read cannot be seen, only looks can tell that they served. */
const BLIND_LOOKS = 20;

export function judgeForks(count: ForkCount): ForkVerdict {
  const { bytesRead, young, living, missing, looks } = count;
  if (living > 0 || (bytesRead ?? 0) > 0) return "well";
  // Whoever was there is there still.
  if (young === 0 && missing === 0) return "well";
  const ended = count.pageFaults / FAULTS_PER_FORK - young;
  const enoughLooks = looks >= (bytesRead === null ? BLIND_LOOKS : STORM_LOOKS);
  return enoughLooks && ended >= STORM_ENDS ? "storm" : "undecided";
}
