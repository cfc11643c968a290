// The programs that are measured beside fcgivisor, where Debian keeps them, and how they get here.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { findProgram, SEARCH_PATH } from "../helper/packages.ts";

/** What to look for, and the Debian package that brings it. */
const PROGRAMS: readonly { readonly package: string; readonly find: () => string | null }[] = [
  { package: "php-cgi", find: () => findProgram("php-cgi") },
  { package: "php-fpm", find: phpFpm },
  { package: "supervisor", find: () => findProgram("supervisord") },
  { package: "nginx-light", find: () => findProgram("nginx") },
  { package: "wrk", find: () => findProgram("wrk") },
];

export function findPhpCgi(): string {
  return need("php-cgi", findProgram("php-cgi"));
}

export function findPhpFpm(): string {
  return need("php-fpm", phpFpm());
}

export function find(name: string): string {
  return need(name, findProgram(name));
}

function need(name: string, path: string | null): string {
  if (path === null) throw new Error(`${name} is not installed`);
  return path;
}

/** php-fpm of the same version as php-cgi; Debian has the version in the name. */
function phpFpm(): string | null {
  const phpCgi = findProgram("php-cgi");
  const version = phpCgi === null ? null : versionOf(phpCgi);
  const all = SEARCH_PATH.split(":").flatMap((dir) =>
    namesIn(dir)
      .filter((name) => /^php-fpm[0-9.]*$/.test(name))
      .map((name) => join(dir, name)),
  );
  return all.find((path) => versionOf(path) === version) ?? null;
}

/** As in "PHP 8.2.36 (cgi-fcgi) …": the number; null when it does not say. */
export function versionOf(program: string): string | null {
  const { stdout } = Bun.spawnSync([program, "-v"], { stdin: "ignore", stderr: "ignore" });
  return /^PHP ([0-9.]+)/.exec(stdout.toString())?.[1] ?? null;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    // Not every folder of a PATH exists.
    return [];
  }
}

/** Installs what is missing, as root on a Debian. Throws with the names when it may not or cannot. */
export function installMissing(): void {
  const lacking = () => PROGRAMS.filter(({ find: look }) => look() === null).map((p) => p.package);
  const names = lacking();
  if (names.length === 0) return;
  if (process.getuid?.() === 0 && Bun.which("apt-get") !== null) {
    console.error(`installing for the bench: ${names.join(" ")}`);
    apt("update");
    apt("install", "-y", "--no-install-recommends", ...names);
  }
  const still = lacking();
  if (still.length > 0) throw new Error(`please install: ${still.join(" ")}`);
}

function apt(...words: string[]): void {
  Bun.spawnSync(["apt-get", "-qq", "-o=Dpkg::Use-Pty=0", "-o=Acquire::Retries=3", ...words], {
    env: { ...process.env, PATH: SEARCH_PATH, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "inherit"],
  });
}
