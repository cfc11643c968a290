// Programs of another Debian release than this machine's, unpacked beside it with the libraries they need, down
// to the C library: their loader and search path are written into them (patchelf), so that each starts by its
// path and is, in /proc, the program itself.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface OtherSuite {
  /** Debian's name of the release. */
  readonly suite: string;
  readonly packages: readonly string[];
  /** Paths in the packages, without the leading slash; they get the loader and the search path. */
  readonly programs: readonly string[];
  /** Where it is unpacked: there as a whole or not at all. */
  readonly folder: string;
}

const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64";
const LOADER = process.arch === "arm64" ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2";
/** In the order in which they are searched; before Debian 12 both were in use. */
const LIBRARIES = [`lib/${MACHINE}-linux-gnu`, `usr/lib/${MACHINE}-linux-gnu`] as const;
/** Of all that the packages have, what a program needs to run. */
const WANTED = [
  "./lib/*-linux-gnu/*",
  "./usr/lib/*-linux-gnu/*",
  "./usr/lib/php/*",
  "./usr/bin/patchelf",
  "./usr/bin/php*",
  "./usr/sbin/php*",
] as const;

/** Downloads and unpacks it; as root on a Debian. What fails throws, and leaves nothing half unpacked. */
export function unpackSuite(wanted: OtherSuite): void {
  const work = mkdtempSync(join(tmpdir(), "fv-suite-"));
  try {
    const archives = download(wanted, work);
    const root = `${wanted.folder}.${process.pid}`;
    mkdirSync(root, { recursive: true });
    for (const archive of archives) unpack(archive, root);
    for (const program of wanted.programs) bind(program, root, wanted.folder);
    rmSync(wanted.folder, { recursive: true, force: true });
    renameSync(root, wanted.folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** With all that they depend on, as if nothing were installed; from where this machine has its own packages. */
function download({ suite, packages }: OtherSuite, work: string): string[] {
  for (const folder of ["lists/partial", "archives/partial"])
    mkdirSync(join(work, folder), { recursive: true });
  writeFileSync(
    join(work, "sources.list"),
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror()} ${suite} main\n`,
  );
  writeFileSync(join(work, "status"), "");
  const apt = [
    "apt-get",
    "-qq",
    "-y",
    "-o=APT::Sandbox::User=root",
    "-o=Acquire::Retries=3",
    "-o=Debug::NoLocking=1",
    `-o=Dir::Etc::SourceList=${join(work, "sources.list")}`,
    "-o=Dir::Etc::SourceParts=/dev/null",
    `-o=Dir::State::Lists=${join(work, "lists")}`,
    `-o=Dir::State::status=${join(work, "status")}`,
    `-o=Dir::Cache=${work}`,
    `-o=Dir::Cache::archives=${join(work, "archives")}`,
  ];
  run([...apt, "update"]);
  const names = [...packages, "patchelf"];
  run([...apt, "install", "--download-only", "--no-install-recommends", ...names]);
  const folder = join(work, "archives");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(folder, name));
}

/** Where this machine's packages come from (sources.list(5), both forms). */
function mirror(): string {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list", ...readdirSync(folder).map((name) => join(folder, name))];
  const texts = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, "utf8"));
  const found = /^(?:URIs:|deb(?: \[.*?\])?) +(\S+\/debian\/?)(?: |$)/m.exec(texts.join("\n"));
  if (found === null) throw new Error(`no Debian mirror in ${files.join(", ")}`);
  return found[1]!;
}

function unpack(archive: string, root: string): void {
  const listed = WANTED.map((pattern) => `'${pattern}'`).join(" ");
  // tar fails for a pattern that nothing matches: no package has all of these.
  const take = `tar -C "$2" -xf - --wildcards --no-same-owner ${listed} 2>/dev/null || true`;
  run(["sh", "-c", `dpkg --fsys-tarfile "$1" | { ${take}; }`, "sh", archive, root]);
}

/** `folder`: where `root` will be. */
function bind(program: string, root: string, folder: string): void {
  const library = LIBRARIES.find((each) => existsSync(join(root, each, LOADER)));
  if (library === undefined) throw new Error(`no ${LOADER} in ${root}`);
  const path = (base: string) => LIBRARIES.map((each) => join(base, each)).join(":");
  const own = [join(root, library, LOADER), "--library-path", path(root)];
  run([
    ...own,
    join(root, "usr/bin/patchelf"),
    "--set-interpreter",
    join(folder, library, LOADER),
    // Unlike a runpath it holds for what is loaded later, too.
    "--force-rpath",
    "--set-rpath",
    path(folder),
    join(root, program),
  ]);
}

function run(command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  if (exitCode !== 0)
    throw new Error(`exit ${exitCode}: ${command.join(" ")}\n${stderr.toString()}`);
}
