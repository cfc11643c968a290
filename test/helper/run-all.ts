// What `bun run test` runs, on a machine that may have nothing but Node: installs what the tests need
// where it may, builds the binary, runs all tests (or those whose file names contain an argument), and
// ends with one line that a machine can read: "N passed, N failed, N skipped".

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installMissing } from "./install.ts";
import { SEARCH_PATH } from "./packages.ts";

const ROOT = join(import.meta.dir, "../..");

/** How many test files run at once: they mostly wait, and each has ports and folders of its own. */
const AT_ONCE = 3;

/** For a test that names no limit itself. Only one that hangs gets there, however slow the machine is. */
const UNIT_TIMEOUT_MS = 600_000;

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const FAILED: Tally = { passed: 0, failed: 1, skipped: 0 };

const ENTITIES: Readonly<Record<string, string>> = {
  "&quot;": '"',
  "&apos;": "'",
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
  "&#10;": "\n",
};

const { passed, failed, skipped } = whateverHappens(() => main(process.argv.slice(2)));
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;

/** What cannot even run has failed. */
function whateverHappens(work: () => Tally): Tally {
  try {
    return work();
  } catch (error) {
    console.error(error);
    return FAILED;
  }
}

function main(filters: string[]): Tally {
  installMissing();
  if (!isBuilt()) {
    console.error("the binary could not be built; nothing was tested");
    return FAILED;
  }
  const dir = mkdtempSync(join(tmpdir(), "fv-report-"));
  try {
    return test(filters, join(dir, "junit.xml"));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function isBuilt(): boolean {
  const given = process.env["FCGIVISOR_BINARY"] !== undefined;
  return given || run([process.execPath, "run", "build.ts"]) === 0;
}

function test(filters: string[], report: string): Tally {
  const code = run([
    process.execPath,
    "test",
    `--parallel=${AT_ONCE}`,
    `--timeout=${UNIT_TIMEOUT_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...filters,
  ]);
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  for (const title of skippedTitles(xml)) console.log(`skipped: ${title}`);
  // Once more, and last: of a long output that is cut, the end is what is left.
  for (const { title, text } of failures(xml)) console.log(`failed: ${title}\n${text}`);
  const tally = tallyOf(xml);
  // A test file that does not even load counts as no test at all in the report.
  const unseen = tally.failed === 0 && (code !== 0 || tally.passed === 0);
  return unseen ? { ...tally, failed: 1 } : tally;
}

function run(command: string[]): number {
  const child = Bun.spawnSync(command, {
    cwd: ROOT,
    env: { ...process.env, PATH: SEARCH_PATH },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  return child.exitCode ?? 1;
}

/** The sums on the root element of a JUnit report. */
function tallyOf(xml: string): Tally {
  const root = /<testsuites [^>]*>/.exec(xml)?.[0] ?? "";
  const number = (name: string): number =>
    Number(new RegExp(` ${name}="(\\d+)"`).exec(root)?.[1] ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  return { passed: number("tests") - failed - skipped, failed, skipped };
}

function skippedTitles(xml: string): string[] {
  const cases = xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g);
  return [...cases].map((match) => plain(match[1]!));
}

function failures(xml: string): { readonly title: string; readonly text: string }[] {
  const cases = xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<failure[^>]*>([^<]*)/g);
  return [...cases].map((match) => ({ title: plain(match[1]!), text: plain(match[2]!) }));
}

function plain(xml: string): string {
  return xml.replaceAll(/&(?:quot|apos|lt|gt|amp|#10);/g, (entity) => ENTITIES[entity]!);
}
