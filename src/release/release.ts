// `bun run release`: everything that is given to users, below dist/release. The same sources make the same bytes: every
// time in it is that of the commit, or SOURCE_DATE_EPOCH. What this machine has no program for is left out, and said.

import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { arch } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import pkg from "../../package.json" with { type: "json" };
import { makeDeb } from "./deb.ts";
import { installedFiles } from "./installed.ts";
import { makeNpm } from "./npm.ts";
import { makeOci } from "./oci.ts";
import { makeRpm } from "./rpm.ts";
import { has, run } from "./run.ts";
import { type Built, type Release, type Target, TARGETS } from "./targets.ts";

const { values } = parseArgs({
  options: {
    folder: { type: "string", default: "dist/release" },
    version: { type: "string", default: pkg.version },
    /** Only these kinds, by comma. */
    only: { type: "string", default: "deb,rpm,oci,npm" },
    /** Only these machines. */
    targets: { type: "string", default: TARGETS.map(({ name }) => name).join(",") },
  },
});

const epoch = Number(process.env["SOURCE_DATE_EPOCH"] ?? run(["git", "log", "-1", "--format=%ct"]));
const release: Release = { version: values.version, epoch, folder: values.folder };

rmSync(release.folder, { recursive: true, force: true });
mkdirSync(release.folder, { recursive: true });
await make(new Set(values.only.split(",")), chosen(values.targets.split(",")));
report();

function chosen(names: readonly string[]): readonly Target[] {
  const unknown = names.find((name) => !TARGETS.some((target) => target.name === name));
  if (unknown !== undefined) throw new Error(`there is no target ${unknown}`);
  return TARGETS.filter(({ name }) => names.includes(name));
}

async function make(kinds: ReadonlySet<string>, targets: readonly Target[]): Promise<void> {
  const built = targets.map(build);
  const packaged = built.filter(({ target }) => target.inPackages);
  const forSystems = packaged.filter(({ target }) => target.libc === "glibc");
  const text = (path: string) => readFileSync(path, "utf8");
  const license = text("LICENSE");
  const files = await installedFiles(nativeOf(built));
  if (wanted(kinds, "deb", "dpkg-deb"))
    for (const one of forSystems) makeDeb(one, files, license, release);
  if (wanted(kinds, "rpm", "rpmbuild")) for (const one of forSystems) makeRpm(one, files, release);
  if (wanted(kinds, "npm"))
    makeNpm(
      packaged,
      { license, readme: text("README.md"), testing: text("src/testing/testing.ts") },
      release,
    );
  if (wanted(kinds, "oci")) makeOci(packaged, release);
}

function wanted(kinds: ReadonlySet<string>, kind: string, program?: string): boolean {
  if (!kinds.has(kind)) return false;
  if (program === undefined || has(program)) return true;
  console.error(`left out: no ${kind} is made, because this machine has no ${program}`);
  return false;
}

/** Maps stand beside what is built, and are not released: they are made apart. */
function build(target: Target): Built {
  const apart = join(release.folder, "build");
  const path = join(release.folder, `fcgivisor-${release.version}-${target.name}`);
  mkdirSync(apart, { recursive: true });
  const outfile = join(apart, "fcgivisor");
  const words = ["--quiet", "--target", `bun-${target.name}`, "--release-version", release.version];
  run([process.execPath, "run", "build.ts", ...words, "--outfile", outfile], {
    env: { SOURCE_DATE_EPOCH: String(epoch) },
  });
  renameSync(outfile, path);
  rmSync(apart, { recursive: true });
  return { target, path };
}

/** One that runs here. */
function nativeOf(built: readonly Built[]): string {
  const fitting = built.filter(({ target }) => target.arch === arch() && target.libc === "glibc");
  const native = fitting.at(-1)?.path;
  if (native === undefined) throw new Error("none of the targets runs here, to tell of itself");
  return join(process.cwd(), relative(process.cwd(), native));
}

/** Writes SHA256SUMS, and tells what there is now. */
function report(): void {
  const paths = readdirSync(release.folder, { recursive: true, encoding: "utf8" }).toSorted();
  const files = paths.filter((path) => statSync(join(release.folder, path)).isFile());
  const sums = files.map((path) => {
    const data = readFileSync(join(release.folder, path));
    console.log(`${(data.length / 1e6).toFixed(1).padStart(7)} MB  ${path}`);
    return `${createHash("sha256").update(data).digest("hex")}  ${path}\n`;
  });
  writeFileSync(join(release.folder, "SHA256SUMS"), sums.join(""));
}
