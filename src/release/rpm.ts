// The .rpm, made by rpmbuild.

import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neededGlibc } from "./glibc.ts";
import { CONFIG_FILES, type InstalledFile, lay, PROGRAM } from "./installed.ts";
import { run } from "./run.ts";
import running from "./scripts/running.sh" with { type: "text" };
import { ARCH_NAMES, type Built, type Release } from "./targets.ts";

/** Makes it, and returns its path. */
export function makeRpm(
  built: Built,
  files: readonly InstalledFile[],
  { version, epoch, folder }: Release,
): string {
  const arch = ARCH_NAMES.rpm[built.target.arch];
  const top = mkdtempSync(join(tmpdir(), "fcgivisor-rpm-"));
  try {
    const tree = join(top, "tree");
    mkdirSync(tree);
    const placed = files.map(whereRpmHasIt);
    lay(tree, placed, built.path);
    const spec = join(top, "fcgivisor.spec");
    writeFileSync(spec, specText(tree, placed, { version, glibc: neededGlibc(built.path) }));
    const define = (name: string, value: string) => ["--define", `${name} ${value}`];
    run(
      [
        "rpmbuild",
        "-bb",
        "--quiet",
        ...["--target", arch],
        ...define("_topdir", top),
        ...define("_buildhost", "localhost"),
        ...define("use_source_date_epoch_as_buildtime", "1"),
        ...define("clamp_mtime_to_source_date_epoch", "1"),
        ...define("_binary_payload", "w6.gzdio"),
        spec,
      ],
      { env: { SOURCE_DATE_EPOCH: String(epoch) } },
    );
    const [name = ""] = readdirSync(join(top, "RPMS", arch));
    const rpm = join(folder, name);
    renameSync(join(top, "RPMS", arch, name), rpm);
    return rpm;
  } finally {
    rmSync(top, { recursive: true });
  }
}

/** zsh looks elsewhere in that family of systems. */
function whereRpmHasIt(file: InstalledFile): InstalledFile {
  return { ...file, path: file.path.replace("zsh/vendor-completions", "zsh/site-functions") };
}

/** Nothing may touch the program: strip would cut off what Bun has appended to it. */
function specText(
  tree: string,
  files: readonly InstalledFile[],
  { version, glibc }: { readonly version: string; readonly glibc: string },
): string {
  const configs: readonly string[] = CONFIG_FILES;
  const listed = files.map(
    ({ path }) => `${configs.includes(path) ? "%config(noreplace) " : ""}/${path}`,
  );
  return `%global _build_id_links none
%global __os_install_post %{nil}
%global debug_package %{nil}
Name: fcgivisor
Version: ${version}
Release: 1
Summary: FastCGI supervisor in one file
License: MIT
AutoReqProv: no
Requires: glibc >= ${glibc}

%description
Prespawns FastCGI workers, keeps them running, reloads without losing a request. It opens the listening
sockets and stays off the request path: php-cgi, or any other FastCGI program, accepts for itself.

%install
cp -a ${tree}/. %{buildroot}/

%files
%defattr(-,root,root,-)
%attr(0755,root,root) /${PROGRAM}
%dir /etc/fcgivisor
${listed.join("\n")}

%post
${running}
reload_systemd
[ "$1" -lt 2 ] || each_running upgrade_one

%preun
${running}
if [ "$1" -eq 0 ]; then
    stop_service
    each_running quit_one
fi

%postun
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
`;
}
