// What `bun run test` runs, on a machine that may have nothing but Node: installs what the tests need
// where it may, builds the binary, runs all tests (or those whose file names contain an argument), and
// ends with one line that a machine can read: "N passed, N failed, N skipped".

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allParts, missing, packageOf, SEARCH_PATH, unpackedFor, UNPACKED } from "./packages.ts";

const ROOT = join(import.meta.dir, "../..");

/** How many test files run at once: they mostly wait, and each has ports and folders of its own. */
const AT_ONCE = 3;

/** For a test that names no limit itself; none of them needs a tenth of it on an idle machine. */
const UNIT_TIMEOUT_MS = 60_000;

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const outcome = main(process.argv.slice(2));
process.stdout.write(
  `${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped\n`,
);
process.exitCode = outcome.failed === 0 ? 0 : 1;

function main(filters: string[]): Tally {
  installMissing();
  if (
    process.env["FCGIVISOR_BINARY"] === undefined &&
    run([process.execPath, "run", "build.ts"]) !== 0
  ) {
    console.error("the binary could not be built; nothing was tested");
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const dir = mkdtempSync(join(tmpdir(), "fv-report-"));
  const report = join(dir, "junit.xml");
  try {
    const code = run([
      process.execPath,
      "test",
      `--parallel=${AT_ONCE}`,
      `--timeout=${UNIT_TIMEOUT_MS}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...filters,
    ]);
    const tally = existsSync(report) ? tallyOf(readFileSync(report, "utf8")) : none();
    // A test file that does not even load counts as no test at all in the report.
    if (code !== 0 && tally.failed === 0) tally.failed = 1;
    for (const title of skippedTitles(existsSync(report) ? readFileSync(report, "utf8") : "")) {
      console.log(`skipped: ${title}`);
    }
    return tally;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function none(): Tally {
  return { passed: 0, failed: 1, skipped: 0 };
}

/** Installs what is missing from Debian's packages, as root on a Debian; else the tests say it. */
function installMissing(): void {
  const lacking = missing(allParts());
  if (lacking.length === 0) return;
  const toUnpack = lacking.flatMap(unpackedFor);
  const toInstall = lacking.filter((part) => unpackedFor(part).length === 0).map(packageOf);
  const names = [...new Set([...toInstall, ...toUnpack])].join(" ");
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) {
    console.error(`not installed, some tests are skipped: ${names}`);
    return;
  }
  console.error(`installing for the tests: ${names}`);
  const apt = ["apt-get", "-qq", "-o=Dpkg::Use-Pty=0", "-o=Acquire::Retries=3"];
  run([...apt, "update"], { quiet: true });
  const install = [...apt, "install", "-y", "--no-install-recommends", ...new Set(toInstall)];
  const code = toInstall.length === 0 ? 0 : run(install, { quiet: true });
  if (code !== 0) console.error(`apt-get could not install them all (exit ${code})`);
  if (toUnpack.length > 0) unpack(apt, toUnpack);
}

function unpack(apt: readonly string[], names: readonly string[]): void {
  mkdirSync(UNPACKED, { recursive: true });
  const dir = mkdtempSync(join(tmpdir(), "fv-debian-"));
  const code = run([...apt, "-o=APT::Sandbox::User=root", "download", ...names], {
    quiet: true,
    cwd: dir,
  });
  if (code !== 0) console.error(`apt-get could not download ${names.join(", ")} (exit ${code})`);
  for (const file of readdirSync(dir)) run(["dpkg", "-x", join(dir, file), UNPACKED]);
  rmSync(dir, { recursive: true, force: true });
}

function run(command: string[], { quiet = false, cwd = ROOT } = {}): number {
  const child = Bun.spawnSync(command, {
    cwd,
    env: { ...process.env, PATH: SEARCH_PATH, DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    stdout: quiet ? "ignore" : "inherit",
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
  return [...cases].map((match) =>
    match[1]!.replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&amp;", "&"),
  );
}
