// Installs what the tests need from Debian's packages, where it may: as root, on a Debian. What an
// init system brings is unpacked instead. A mirror that fails once is asked again; what is missing in the
// end is named, and its tests say that they are skipped, or fail in continuous integration.

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OtherSuite, unpackSuite } from "./other-suite.ts";
import {
  allParts,
  missing,
  otherSuiteOf,
  packageOf,
  SEARCH_PATH,
  unpackedFor,
  UNPACKED,
  type Part,
} from "./packages.ts";

const TRIES = 4;
/** Between two tries, longer each time. */
const PAUSE_MS = 5_000;

const APT = [
  "apt-get",
  "-qq",
  "-o=Dpkg::Use-Pty=0",
  "-o=Acquire::Retries=3",
  // Somebody else may be installing something.
  "-o=DPkg::Lock::Timeout=300",
];

export function installMissing(): void {
  const mayInstall = process.getuid?.() === 0 && Bun.which("apt-get") !== null;
  for (let tries = 1; ; tries++) {
    const lacking = missing(allParts());
    if (lacking.length === 0) return;
    if (!mayInstall || tries > TRIES) {
      console.error(`not installed, their tests are skipped or fail: ${namesOf(lacking)}`);
      return;
    }
    if (tries > 1) Bun.sleepSync(PAUSE_MS * (tries - 1));
    console.error(`installing for the tests: ${namesOf(lacking)}`);
    install(lacking);
  }
}

function namesOf(parts: readonly Part[]): string {
  const names = parts.flatMap((part) => [
    ...unpackedFor(part),
    ...(otherSuiteOf(part)?.packages ?? []),
    ...installedFor(part),
  ]);
  return [...new Set(names)].join(" ");
}

/** The package that brings it, unless it is unpacked. */
function installedFor(part: Part): string[] {
  const isUnpacked = unpackedFor(part).length > 0 || otherSuiteOf(part) !== null;
  return isUnpacked ? [] : [packageOf(part)];
}

function install(parts: readonly Part[]): void {
  parts
    .map(otherSuiteOf)
    .filter((suite) => suite !== null)
    .forEach(installSuite);
  if (parts.every((part) => otherSuiteOf(part) !== null)) return;
  run([...APT, "update"]);
  const names = [...new Set(parts.flatMap(installedFor))];
  if (names.length > 0) run([...APT, "install", "-y", "--no-install-recommends", ...names]);
  const archives = parts.flatMap(unpackedFor);
  if (archives.length > 0) unpack(archives);
}

/** Its failure is told, and shows in what is still missing. */
function installSuite(suite: OtherSuite): void {
  try {
    unpackSuite(suite);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
}

function unpack(names: readonly string[]): void {
  mkdirSync(UNPACKED, { recursive: true });
  const dir = mkdtempSync(join(tmpdir(), "fv-debian-"));
  run([...APT, "-o=APT::Sandbox::User=root", "download", ...names], dir);
  for (const file of readdirSync(dir)) run(["dpkg", "-x", join(dir, file), UNPACKED], dir);
  rmSync(dir, { recursive: true, force: true });
}

/** Runs a command whose failure is told, and shows in what is still missing. */
function run(command: readonly string[], cwd = "/"): void {
  const { exitCode } = Bun.spawnSync([...command], {
    cwd,
    env: { ...process.env, PATH: SEARCH_PATH, DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  if (exitCode !== 0) console.error(`exit ${exitCode}: ${command.join(" ")}`);
}
