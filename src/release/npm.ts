// The npm packages, after esbuild's pattern: `fcgivisor` holds a small launcher and names one optional package a
// machine, of which npm installs the one that fits. A tarball of npm is a tar archive with all below `package/`.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pkg from "../../package.json" with { type: "json" };
import launcher from "./scripts/launcher.cjs" with { type: "text" };
import { tar, type TarEntry } from "./tar.ts";
import type { Built, Release } from "./targets.ts";

const SCOPE = "@fcgivisor";

/** The name of the package for a machine: "@fcgivisor/linux-x64-musl". */
export function platformPackage({ arch, libc }: Built["target"]): string {
  return `${SCOPE}/linux-${arch}${libc === "musl" ? "-musl" : ""}`;
}

/** Makes all of them, and returns their paths. */
export function makeNpm(
  built: readonly Built[],
  texts: { readonly readme: string; readonly license: string; readonly testing: string },
  release: Release,
): string[] {
  const common = {
    version: release.version,
    description: pkg.description,
    license: pkg.license,
  };
  const shared = [file("LICENSE", texts.license)];
  const platforms = built.map(({ target, path }) => {
    const { arch, libc } = target;
    const name = platformPackage(target);
    const manifest = { name, ...common, os: ["linux"], cpu: [arch], libc: [libc] };
    const program = { path: "package/bin/fcgivisor", mode: 0o755, data: readFileSync(path) };
    return pack(manifest, [...shared, program], release);
  });
  const main = {
    name: pkg.name,
    ...common,
    bin: { fcgivisor: "bin/fcgivisor.cjs" },
    exports: { "./testing": "./testing.ts" },
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(
      built.map(({ target }) => [platformPackage(target), release.version]),
    ),
  };
  const files = [
    ...shared,
    file("README.md", texts.readme),
    file("testing.ts", texts.testing),
    file("bin/fcgivisor.cjs", launcher, 0o755),
  ];
  return [...platforms, pack(main, files, release)];
}

function pack(
  manifest: { readonly name: string; readonly version: string },
  files: readonly TarEntry[],
  { epoch, folder }: Release,
): string {
  const name = `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`;
  const all = [file("package.json", `${JSON.stringify(manifest, null, 2)}\n`), ...files];
  const path = join(folder, name);
  writeFileSync(path, Bun.gzipSync(tar(all, epoch)));
  return path;
}

function file(path: string, text: string, mode = 0o644): TarEntry {
  return { path: `package/${path}`, mode, data: Buffer.from(text) };
}
