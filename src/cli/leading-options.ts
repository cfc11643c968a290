// Options that every command knows may stand before the command, as behind it.

const WITH_VALUE = ["-c", "--config", "--socket", "--prefix"];
const ALONE = /^(--(config|socket|prefix)=|--json$|--quiet$|-q$)/;

/** Where the command stands on the line; the number of words when there is none yet. */
export function commandAt(argv: readonly string[]): number {
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at]!;
    if (!word.startsWith("-")) break;
    if (WITH_VALUE.includes(word)) at++;
    else if (!ALONE.test(word)) break;
  }
  return Math.min(at, argv.length);
}

/** The line with its command first; as it is when it has none. */
export function commandFirst(argv: readonly string[]): readonly string[] {
  const at = commandAt(argv);
  const word = argv[at];
  return word === undefined ? argv : [word, ...argv.slice(0, at), ...argv.slice(at + 1)];
}
