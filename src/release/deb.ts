// The .deb, made by dpkg-deb, which sets the time of every file to SOURCE_DATE_EPOCH at the latest.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pkg from "../../package.json" with { type: "json" };
import { neededGlibc } from "./glibc.ts";
import { CONFIG_FILES, type InstalledFile, lay } from "./installed.ts";
import { run } from "./run.ts";
import { DEB_SCRIPTS } from "./scripts/deb.ts";
import { ARCH_NAMES, type Built, type Release } from "./targets.ts";

const COPYRIGHT = "usr/share/doc/fcgivisor/copyright";

/** Makes it, and returns its path. */
export function makeDeb(
  built: Built,
  files: readonly InstalledFile[],
  license: string,
  { version, epoch, folder }: Release,
): string {
  const arch = ARCH_NAMES.deb[built.target.arch];
  const root = mkdtempSync(join(tmpdir(), "fcgivisor-deb-"));
  const deb = join(folder, `fcgivisor_${version}_${arch}.deb`);
  try {
    // mkdtemp makes it for its owner alone; it becomes the root of the package.
    chmodSync(root, 0o755);
    lay(root, [...files, { path: COPYRIGHT, mode: 0o644, data: license }], built.path);
    mkdirSync(join(root, "DEBIAN"), { mode: 0o755 });
    const kib = Math.ceil(statSync(built.path).size / 1024);
    control(root, "control", controlText({ version, arch, kib, glibc: neededGlibc(built.path) }));
    control(root, "conffiles", CONFIG_FILES.map((path) => `/${path}\n`).join(""));
    for (const [name, text] of Object.entries(DEB_SCRIPTS)) control(root, name, text, 0o755);
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z6", "--build", root, deb], {
      env: { SOURCE_DATE_EPOCH: String(epoch) },
    });
  } finally {
    rmSync(root, { recursive: true });
  }
  return deb;
}

function control(root: string, name: string, text: string, mode = 0o644): void {
  writeFileSync(join(root, "DEBIAN", name), text, { mode });
}

function controlText(facts: {
  readonly version: string;
  readonly arch: string;
  readonly kib: number;
  readonly glibc: string;
}): string {
  return `Package: fcgivisor
Version: ${facts.version}
Architecture: ${facts.arch}
Maintainer: the fcgivisor developers <root@localhost>
Installed-Size: ${facts.kib}
Depends: libc6 (>= ${facts.glibc})
Recommends: php-cgi | php-fpm
Suggests: nginx
Section: httpd
Priority: optional
Description: FastCGI supervisor in one file
 ${pkg.description.replace(/^.*?: /, "").replace(/^./, (c) => c.toUpperCase())}
 .
 It opens the listening sockets and stays off the request path: php-cgi, or any
 other FastCGI program, accepts for itself.
`;
}
