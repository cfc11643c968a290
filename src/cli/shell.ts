// Words for a shell, so that what is printed can be pasted.

/** A word for sh, quoted where it must be. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
