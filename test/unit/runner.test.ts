// Command lines are read strictly: what a command does not know is a usage error with exit code 2,
// said before anything is done, and never passed over in silence.

import { beforeEach, expect, test } from "bun:test";
import { didYouMean } from "../../src/config/nearest.ts";
import { Fault } from "../../src/fault.ts";
import { listen } from "../helper/printed.ts";
import { defineCommand, parsedValues } from "../../src/cli/command.ts";
import { afterDashes, COMMON, type Options, plainValues, repeated } from "../../src/cli/options.ts";
import { runStrict } from "../../src/cli/runner.ts";
import { usageText } from "../../src/cli/usage.ts";

const OPTIONS = {
  ...COMMON,
  wait: {
    type: "boolean",
    default: true,
    description: "wait for it",
    negativeDescription: "do not wait for it",
  },
  header: { type: "string", alias: "H", valueHint: "line", description: "may be repeated" },
  pool: { type: "positional", required: false, valueHint: "pool", description: "which one" },
} as const satisfies Options;

/** What the command got, when it was run at all. */
let got: Record<string, unknown> | null;
beforeEach(() => (got = null));

const probe = defineCommand({
  name: "probe",
  description: "Notes what it gets.",
  options: OPTIONS,
  run(values) {
    got = values;
    return 7;
  },
});

const run = (...words: string[]) => runStrict(probe, words);

/** The usage error that these words make; the command must not have been run. */
async function refused(...words: string[]): Promise<string> {
  got = null;
  const error = await run(...words).then(
    (code) => new Error(`accepted with exit code ${code}: ${words.join(" ")}`),
    (thrown: unknown) => thrown,
  );
  expect(got).toBeNull();
  expect(error).toBeInstanceOf(Fault);
  const fault = error as Fault;
  expect(fault.exitCode).toBe(2);
  expect(fault.hint).toContain("fcgivisor probe --help");
  return fault.message;
}

test("options in every form reach the command, and its number is the exit code", async () => {
  for (const words of [
    ["--config", "a.toml", "--json", "www"],
    ["--config=a.toml", "www", "--json"],
    ["www", "-c", "a.toml", "--json"],
  ]) {
    expect(await run(...words)).toBe(7);
    expect(got, words.join(" ")).toMatchObject({ config: "a.toml", json: true, pool: "www" });
  }
});

test("a command that returns nothing has done its work: 0", async () => {
  const silent = defineCommand({ name: "silent", description: "", options: COMMON, run() {} });
  expect(await runStrict(silent, [])).toBe(0);
});

test("an unknown option is named, in each of its forms", async () => {
  expect(await refused("--jsn")).toBe('unknown option --jsn; did you mean "--json"?');
  expect(await refused("--jsn=1")).toBe('unknown option --jsn; did you mean "--json"?');
  expect(await refused("-x")).toBe("unknown option -x");
  expect(await refused("--no-such")).toBe("unknown option --no-such");
  expect(await refused("www", "--config", "a", "--late")).toBe("unknown option --late");
});

test("the beginning of several options names them all", () => {
  const known = ["--reload-every", "--reload-command", "--rate", "--json"];
  const both = '; did you mean "--reload-every" or "--reload-command"?';
  expect(didYouMean("--reload", known)).toBe(both);
  expect(didYouMean("--reload-e", known)).toBe('; did you mean "--reload-every"?');
  expect(didYouMean("--nothing", known)).toBe("");
});

test("a long word behind one dash, and a letter behind two, are no options", async () => {
  expect(await refused("-config", "a")).toContain("-config");
  expect(await refused("-json")).toContain("-json");
  expect(await refused("-cfile")).toContain("-cfile");
  expect(await refused("-cq")).toContain("-cq");
});

test("a missing value is named", async () => {
  expect(await refused("--config")).toBe("option --config needs a value");
  expect(await refused("-c")).toBe("option -c needs a value");
  expect(await refused("--config=")).toBe("option --config needs a value");
  expect(await refused("--config", "")).toBe("option --config needs a value");
  expect(await refused("--config", "--", "a")).toBe("option --config needs a value");
});

test("a value behind a switch is refused", async () => {
  expect(await refused("--json=yes")).toBe("option --json takes no value");
  expect(await refused("--no-json=1")).toBe("option --no-json takes no value");
});

test("the word behind an option is its value even when it looks like an option, as getopt has it", async () => {
  await run("-H", "-1: x", "--config", "--json");
  expect(got).toMatchObject({ header: "-1: x", config: "--json" });
  expect(got).not.toHaveProperty("json", true);
});

test("a stray argument is refused, by a command that takes none and by one that takes one", async () => {
  expect(await refused("www", "api")).toContain('too many arguments: "api"');
  const none = defineCommand({ name: "none", description: "", options: COMMON, run: () => 0 });
  await expect(runStrict(none, ["www"])).rejects.toThrow("none takes no arguments");
});

test("the value of an option is not counted as an argument", async () => {
  expect(await run("-c", "a", "--socket", "b", "--prefix=c", "www")).toBe(7);
  expect(got).toMatchObject({ config: "a", socket: "b", prefix: "c", pool: "www" });
});

test("an argument that is needed and missing is named", async () => {
  const options = { ...COMMON, url: { type: "positional", valueHint: "url-path" } } as const;
  const needy = defineCommand({ name: "needy", description: "", options, run: () => 0 });
  await expect(runStrict(needy, [])).rejects.toThrow("needy needs URL-PATH");
  expect(await runStrict(needy, ["/x"])).toBe(0);
});

test("an open list takes any number of arguments", async () => {
  const pools = { type: "positional", required: false, repeatable: true } as const;
  const words: (readonly string[])[] = [];
  const open = defineCommand({
    name: "open",
    description: "",
    options: { ...COMMON, pools },
    run: (values) => void words.push(values.pools),
  });
  expect(await runStrict(open, [])).toBe(0);
  expect(await runStrict(open, ["a", "b", "c"])).toBe(0);
  expect(words).toEqual([[], ["a", "b", "c"]]);
});

test("what stands behind -- is not for the command line to judge", async () => {
  expect(await run("-q", "--", "php-cgi", "--unknown", "-z", "--help")).toBe(7);
  expect(got).toMatchObject({ quiet: true });
  expect(afterDashes(["-q", "--", "php-cgi", "-z", "--", "x"])).toEqual([
    "php-cgi",
    "-z",
    "--",
    "x",
  ]);
  expect(afterDashes(["-q"])).toEqual([]);
  expect(afterDashes(["--"])).toEqual([]);
});

test("an option before -- does not reach over it for its value", async () => {
  expect(await refused("-c", "--", "php-cgi")).toBe("option -c needs a value");
});

test("a switch is turned off by --no-", async () => {
  await run();
  expect(got).toMatchObject({ wait: true });
  await run("--no-wait");
  expect(got).toMatchObject({ wait: false });
  expect(await refused("--no-config", "a")).toStartWith("unknown option --no-config");
  expect(await refused("--nowait")).toBe('unknown option --nowait; did you mean "--no-wait"?');
});

test("an option given twice: the last one counts, and all can be had", async () => {
  const words = ["-H", "a: 1", "www", "--header=b: 2", "--header", "c: 3", "--", "-H", "d: 4"];
  await run(...words);
  expect(got).toMatchObject({ header: "c: 3", pool: "www" });
  expect(repeated(OPTIONS, words, "header")).toEqual(["a: 1", "b: 2", "c: 3"]);
  expect(repeated(OPTIONS, words, "config")).toEqual([]);
  const several = { ...OPTIONS, header: { ...OPTIONS.header, repeatable: true } } as const;
  await runStrict(
    defineCommand({ ...probe, options: several, run: (values) => void (got = values) }),
    words,
  );
  expect(got).toMatchObject({ header: ["a: 1", "b: 2", "c: 3"], pool: "www" });
});

test("a value with an equals sign in it stays whole", async () => {
  await run("--header=X: a=b=c");
  expect(got).toMatchObject({ header: "X: a=b=c" });
  expect(repeated(OPTIONS, ["-H=a=b"], "header")).toEqual(["a=b"]);
});

test("a single dash is an argument, as it is for other programs", async () => {
  expect(await run("-")).toBe(7);
  expect(got).toMatchObject({ pool: "-" });
});

test("--help and -h print the usage and do nothing else, unless they stand behind --", async () => {
  const written: string[] = [];
  const spy = listen({ out: (text) => written.push(text), err: (text) => written.push(text) });
  try {
    expect(await run("--help")).toBe(0);
    expect(await run("-h", "--unknown")).toBe(0);
  } finally {
    spy.mockRestore();
  }
  expect(got).toBeNull();
  expect(written).toEqual([`${usageText(probe)}\n`, `${usageText(probe)}\n`]);
});

test("the usage names every option, its short form, its value, and how it is turned off", () => {
  const text = usageText(probe);
  expect(text).toContain("Usage: fcgivisor probe [OPTIONS] [POOL]");
  expect(text).toContain("-c, --config FILE");
  expect(text).toContain("-H, --header LINE");
  expect(text).toContain("--no-wait");
  expect(text).toContain("do not wait for it");
});

test("words that are names of an object's own parts are unknown like any other", async () => {
  for (const word of ["--constructor", "--toString", "--__proto__", "--hasOwnProperty"])
    expect(await refused(word)).toBe(`unknown option ${word}`);
});

const READ_TWICE = {
  ...OPTIONS,
  file: { type: "string", repeatable: true },
  "dry-run": { type: "boolean" },
} as const satisfies Options;

test("a line that needs no parser is read as the parser reads it", async () => {
  for (const line of [
    "",
    "www",
    "-",
    "-c a.toml --json",
    "--config=a.toml www -q",
    "--dry-run --header=a=b",
    "-H line --wait --file one",
    "--socket /run/a.sock --prefix ../x www",
  ]) {
    const words = line.split(" ").filter((word) => word !== "");
    const plain = plainValues(READ_TWICE, words);
    expect(plain, line).not.toBeNull();
    expect(plain!, line).toEqual(await parsedValues(READ_TWICE, words));
  }
});

test("words that may be several are all of them, by either reading", async () => {
  const options = { ...COMMON, pool: { type: "positional", required: false, repeatable: true } };
  for (const words of [[], ["a"], ["a", "-q", "b"]]) {
    const plain = plainValues(options as Options, words);
    expect(plain).toEqual(await parsedValues(options as Options, words));
  }
});

test.each(["--no-wait", "--json --json", "-c a --config b", "-c --json", "--nothing", "a -- b"])(
  "what takes a parser: %s",
  (line) => expect(plainValues(READ_TWICE, line.split(" "))).toBeNull(),
);
