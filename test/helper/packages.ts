// The programs that the tests put around fcgivisor, and where Debian keeps them. A test says which it
// needs; what is missing is installed by run-all when it may, and else named in the skipped title.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { OtherSuite } from "./other-suite.ts";

const CACHE = join(import.meta.dir, "../../node_modules/.cache");

/**
 * Where packages are unpacked that would turn a machine into another one if they were installed: an
 * init system has no business on a developer's machine.
 */
export const UNPACKED = join(CACHE, "debian");

/** Where packages have their libraries, below `UNPACKED`. */
export const LIBRARIES = `usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;

/** The folder of PHP 8.2's modules, below `UNPACKED`. */
export const PHP_MODULES = "usr/lib/php/20220829";

interface PartRow {
  readonly package: string;
  /** Packages to be unpacked instead of installed. */
  readonly unpack?: readonly string[];
  /** Of another release, unpacked into a folder of its own. */
  readonly suite?: OtherSuite;
  readonly there: () => boolean;
}

/** What to look for, and the Debian package that brings it. */
const PARTS = {
  "php-cgi": { package: "php-cgi", there: () => inPath("php-cgi") },
  opcache: {
    package: "php-opcache",
    there: () => inPath("php-cgi") && prints(["php-cgi", "-m"], "Zend OPcache"),
  },
  // Installed it would be a service of the machine's.
  "php-fpm": {
    package: "php8.2-fpm",
    unpack: ["php8.2-fpm"],
    there: () => phpFpmProgram() !== null,
  },
  // The PHP of the release before this machine's, and of the one after: see php-versions.ts.
  "php7.4": otherPhp("7.4", "bullseye"),
  "php8.4": otherPhp("8.4", "trixie"),
  // Installed it would be a service of the machine's, too.
  prometheus: {
    package: "prometheus",
    unpack: ["prometheus"],
    there: () => prometheusProgram("promtool") !== null,
  },
  // Installed it would be a service of the machine's, too.
  haproxy: {
    package: "haproxy",
    unpack: ["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"],
    there: () => prints([...haproxyCommand(), "-v"], "HAProxy"),
  },
  // WordPress asks for a web server and a database of the machine's, MariaDB is one.
  wordpress: {
    package: "wordpress",
    unpack: ["wordpress", "wordpress-theme-twentytwentyone"],
    there: () => unpacked("usr/share/wordpress/wp-content/themes/twentytwentyone/index.php"),
  },
  "php-mysql": {
    package: "php8.2-mysql",
    unpack: ["php8.2-mysql"],
    there: () => unpacked(join(PHP_MODULES, "mysqli.so")),
  },
  mariadb: {
    package: "mariadb-server-core",
    unpack: ["mariadb-server-core", "libaio1", "libnuma1", "liburing2"],
    there: () => prints([...mariadbCommand(), "--version"], "MariaDB"),
  },
  nginx: { package: "nginx-light", there: () => inPath("nginx") },
  "perl-fcgi": {
    package: "libfcgi-perl",
    there: () => inPath("perl") && runs(["perl", "-MFCGI", "-e", "1"]),
  },
  fcgiwrap: { package: "fcgiwrap", there: () => inPath("fcgiwrap") },
  cgit: { package: "cgit", there: () => existsSync("/usr/lib/cgit/cgit.cgi") },
  mapserver: { package: "cgi-mapserver", there: () => inPath("mapserv") },
  "ruby-fcgi": {
    package: "ruby-fcgi",
    there: () => inPath("ruby") && runs(["ruby", "-e", "require 'fcgi'"]),
  },
  plack: { package: "libplack-perl", there: () => inPath("plackup") },
  "plack-manager": {
    package: "libfcgi-procmanager-perl",
    there: () => inPath("perl") && runs(["perl", "-MFCGI::ProcManager", "-e", "1"]),
  },
  libfcgi: { package: "libfcgi-dev", there: () => existsSync("/usr/include/fcgiapp.h") },
  gcc: { package: "gcc", there: () => inPath("gcc") },
  "libc-headers": { package: "libc6-dev", there: () => existsSync("/usr/include/stdio.h") },
  curl: { package: "curl", there: () => inPath("curl") },
  logrotate: { package: "logrotate", there: () => inPath("logrotate") },
  mount: { package: "mount", there: () => inPath("mount") },
  chromium: { package: "chromium", there: () => inPath("chromium") },
  tmux: { package: "tmux", there: () => inPath("tmux") },
  unshare: { package: "util-linux", there: () => inPath("unshare") },
  systemd: { package: "systemd", there: () => inPath("systemd-analyze") },
  shellcheck: { package: "shellcheck", there: () => inPath("shellcheck") },
  zsh: { package: "zsh", there: () => inPath("zsh") },
  fish: { package: "fish", there: () => inPath("fish") },
  less: { package: "less", there: () => inPath("less") },
  mandoc: { package: "mandoc", there: () => inPath("mandoc") },
  man: { package: "man-db", there: () => inPath("man") },
  insserv: { package: "insserv", unpack: ["insserv"], there: () => unpacked("sbin/insserv") },
  openrc: {
    package: "openrc",
    unpack: ["openrc", "librc1", "libeinfo1"],
    there: () => unpacked("sbin/openrc-run"),
  },
} as const satisfies Record<string, PartRow>;

export type Part = keyof typeof PARTS;

/** Debian's sbin folders are not on every user's PATH, and nginx, fcgiwrap and logrotate live there. */
export const SEARCH_PATH = [
  ...(process.env["PATH"] ?? "").split(":"),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
  "/usr/bin",
  "/bin",
].join(":");

/** Absolute path of a program, or null. */
export function findProgram(name: string): string | null {
  return Bun.which(name, { PATH: SEARCH_PATH });
}

/** Absolute path of a php-fpm, or null. */
export function phpFpmProgram(): string | null {
  const own = join(UNPACKED, "usr/sbin/php-fpm8.2");
  return findProgram("php-fpm8.2") ?? (existsSync(own) ? own : null);
}

/** Absolute path of a program of Prometheus', or null. */
export function prometheusProgram(name: "prometheus" | "promtool"): string | null {
  const own = join(UNPACKED, "usr/bin", name);
  return findProgram(name) ?? (existsSync(own) ? own : null);
}

/** HAProxy, the machine's own or the unpacked one with its libraries; the first words of a command. */
export function haproxyCommand(): string[] {
  const own = findProgram("haproxy");
  if (own !== null) return [own];
  return unpackedCommand("usr/sbin/haproxy");
}

/** The server of MariaDB, unpacked below `root`; the first words of a command. */
export function mariadbCommand(root = UNPACKED): string[] {
  return unpackedCommand("usr/sbin/mariadbd", root);
}

/** A program with the libraries that are unpacked beside it. */
function unpackedCommand(program: string, root = UNPACKED): string[] {
  return ["env", `LD_LIBRARY_PATH=${join(root, LIBRARIES)}`, join(root, program)];
}

export function missing(parts: readonly Part[]): Part[] {
  return parts.filter((part) => !PARTS[part].there());
}

export function allParts(): Part[] {
  return Object.keys(PARTS) as Part[];
}

/** Packages that are not installed for it but unpacked; none for most. */
export function unpackedFor(part: Part): readonly string[] {
  const row: PartRow = PARTS[part];
  return row.unpack ?? [];
}

/** The other release that it is unpacked from; null for most. */
export function otherSuiteOf(part: Part): OtherSuite | null {
  const row: PartRow = PARTS[part];
  return row.suite ?? null;
}

function otherPhp(version: string, suite: string) {
  const folder = join(CACHE, `php-${version}`);
  const packages = ["cgi", "fpm", "opcache"].map((part) => `php${version}-${part}`);
  const programs = [`usr/bin/php-cgi${version}`, `usr/sbin/php-fpm${version}`];
  return {
    package: packages[0]!,
    suite: { suite, packages, programs, folder },
    there: () => existsSync(folder),
  };
}

export function packageOf(part: Part): string {
  return PARTS[part].package;
}

function unpacked(path: string): boolean {
  return existsSync(join(UNPACKED, path));
}

function inPath(name: string): boolean {
  return findProgram(name) !== null;
}

function prints(command: string[], text: string): boolean {
  return Bun.spawnSync(command, { stderr: "ignore" }).stdout.toString().includes(text);
}

function runs(command: string[]): boolean {
  return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}
