// Where records go, as the logger sees it.

/** Never throws but where it says so. */
export interface LogTarget {
  /** Writes a record that ends with a newline. */
  write(record: string): void;
  /** Files opened again. Throws a Fault when one cannot be opened, and then keeps the old one. */
  reopen(): readonly string[];
  close(): void;
}

/** Makes the record that tells how many lines were lost, and why. */
export type AnnounceLost = (lines: number, why: string) => string;
