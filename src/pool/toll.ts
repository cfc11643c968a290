// What it cost that workers left: the requests that had no time to finish, and the processes that
// would not go.

export interface Toll {
  /** Requests that were in hand when their worker was ended. */
  readonly cut: number;
  /** Processes that not even KILL has ended. */
  readonly stuck: readonly StuckProcess[];
}

export interface StuckProcess {
  readonly pool: string;
  readonly pid: number;
}

export function sumOf(tolls: readonly Toll[]): Toll {
  return {
    cut: tolls.reduce((sum, { cut }) => sum + cut, 0),
    stuck: tolls.flatMap(({ stuck }) => stuck),
  };
}
