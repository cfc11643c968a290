// The options of php-fpm's own command line (8.2), as far as fcgivisor can follow them.

export interface PhpFpmOptions {
  /** How often -t was given: 2 dumps the config. */
  readonly test: number;
  readonly config: string | undefined;
  readonly prefix: string | undefined;
  readonly pidFile: string | undefined;
  readonly phpIni: string | undefined;
  /** -F and -D; undefined: as the config says. */
  readonly daemonize: boolean | undefined;
  readonly allowRoot: boolean;
  readonly forceStderr: boolean;
  readonly version: boolean;
  readonly help: boolean;
}

interface Option {
  readonly letter: string;
  readonly long: string;
  readonly value: string | null;
  readonly doc: string;
}

const OPTIONS: readonly Option[] = [
  { letter: "c", long: "php-ini", value: "path", doc: "php.ini file, or the folder it is in" },
  { letter: "h", long: "help", value: null, doc: "This help" },
  { letter: "v", long: "version", value: null, doc: "Version number" },
  { letter: "p", long: "prefix", value: "dir", doc: "What relative paths are relative to" },
  { letter: "g", long: "pid", value: "file", doc: "PID file" },
  { letter: "y", long: "fpm-config", value: "file", doc: "Config file" },
  {
    letter: "t",
    long: "test",
    value: null,
    doc: "Test the config and exit; -tt shows it resolved",
  },
  {
    letter: "D",
    long: "daemonize",
    value: null,
    doc: "Run in the background, whatever the config says",
  },
  {
    letter: "F",
    long: "nodaemonize",
    value: null,
    doc: "Stay in the foreground, whatever the config says",
  },
  { letter: "O", long: "force-stderr", value: null, doc: "In the foreground, log to stderr" },
  { letter: "R", long: "allow-to-run-as-root", value: null, doc: "Let pools run as root" },
];

/** The options, or what is wrong with them. */
export function parsePhpFpmOptions(argv: readonly string[]): PhpFpmOptions | { problem: string } {
  const counts = new Map<string, number>();
  const values = new Map<string, string>();
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const problem = word.startsWith("--")
      ? longOption(word, words, counts, values)
      : letters(word, words, counts, values);
    if (problem !== null) return { problem };
  }
  const given = (letter: string) => (counts.get(letter) ?? 0) > 0;
  return {
    test: counts.get("t") ?? 0,
    config: values.get("y"),
    prefix: values.get("p"),
    pidFile: values.get("g"),
    phpIni: values.get("c"),
    daemonize: given("D") ? true : given("F") ? false : undefined,
    allowRoot: given("R"),
    forceStderr: given("O"),
    version: given("v"),
    help: given("h"),
  };
}

type Counts = Map<string, number>;
type Values = Map<string, string>;

function longOption(word: string, rest: string[], counts: Counts, values: Values): string | null {
  const [name = "", ...value] = word.slice(2).split("=");
  const option = OPTIONS.find(({ long }) => long === name);
  if (option === undefined) return `unknown option --${name}`;
  const text = value.length > 0 ? value.join("=") : undefined;
  return take(option, text, rest, counts, values);
}

/** `-t`, `-tt`, `-RF`, `-yFILE`, `-y FILE`. */
function letters(word: string, rest: string[], counts: Counts, values: Values): string | null {
  if (!word.startsWith("-") || word === "-") return `unexpected argument ${word}`;
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] === "?" ? "h" : word[at]!;
    const option = OPTIONS.find((o) => o.letter === letter);
    if (option === undefined) return `unknown option -${letter}`;
    if (option.value === null) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    else {
      const text = word.slice(at + 1).replace(/^=/, "");
      return take(option, text === "" ? undefined : text, rest, counts, values);
    }
  }
  return null;
}

function take(
  { letter, value }: Option,
  given: string | undefined,
  rest: string[],
  counts: Counts,
  values: Values,
): string | null {
  if (value === null) {
    if (given !== undefined) return `option -${letter} takes no value`;
    counts.set(letter, (counts.get(letter) ?? 0) + 1);
    return null;
  }
  const text = given ?? rest.shift();
  if (text === undefined || text === "") return `option -${letter} needs a value (${value})`;
  values.set(letter, text);
  return null;
}

export function phpFpmUsage(called: string): string {
  const rows = OPTIONS.map(({ letter, long, value, doc }) => {
    const left = `-${letter}, --${long}${value === null ? "" : ` <${value}>`}`;
    return `  ${left.padEnd(28)} ${doc}`;
  });
  return [
    `Usage: ${called} [-t] [-p <dir>] [-g <file>] [-c <path>] [-y <file>] [-D | -F [-O]] [-R]`,
    `       ${called} {start|stop|quit|restart|reload|logrotate}`,
    ...rows,
  ].join("\n");
}
