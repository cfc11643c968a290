// The files of an installed fcgivisor, the same in .deb and .rpm: the program, its unit, man page, completions,
// log rotation, and a first config without a pool.

import { mkdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { logrotateSnippet } from "../cli/service/logrotate.ts";
import { serviceFacts, type ServiceFacts } from "../cli/service/facts.ts";
import { type Needs, needsOf } from "../cli/service/needs.ts";
import { systemdUnit } from "../cli/service/systemd.ts";
import { starterText } from "../config/derived/starter.ts";
import { loadConfig } from "../config/load.ts";
import { run } from "./run.ts";

export interface InstalledFile {
  /** From the root, without a slash at its beginning. */
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array | string;
}

/** Files that the administrator changes, and that an update leaves alone. */
export const CONFIG_FILES = ["etc/fcgivisor/fcgivisor.toml", "etc/logrotate.d/fcgivisor"] as const;
export const PROGRAM = "usr/bin/fcgivisor";

/** All but the program. `native`: a program that runs here, and tells of itself. */
export async function installedFiles(native: string): Promise<InstalledFile[]> {
  const facts = await factsOfPackage();
  const [config, logrotate] = CONFIG_FILES;
  const says = (...words: string[]) => run([native, ...words]);
  const text = (path: string, data: Uint8Array | string) => ({ path, mode: 0o644, data });
  return [
    text(config, firstConfig()),
    text(logrotate, logrotateSnippet(facts)),
    text("usr/lib/systemd/system/fcgivisor.service", unit(facts)),
    text("usr/share/man/man8/fcgivisor.8.gz", Bun.gzipSync(Buffer.from(says("man")))),
    text("usr/share/bash-completion/completions/fcgivisor", says("completion", "bash")),
    text("usr/share/zsh/vendor-completions/_fcgivisor", says("completion", "zsh")),
    text("usr/share/fish/vendor_completions.d/fcgivisor.fish", says("completion", "fish")),
  ];
}

/** Puts the files and the program below a folder, for programs that make packages of folders. */
export function lay(folder: string, files: readonly InstalledFile[], program: string): void {
  const all = [...files, { path: PROGRAM, mode: 0o755, data: readFileSync(program) }];
  for (const { path, mode, data } of all) {
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, path), data, { mode });
  }
}

const DEBIAN = {
  root: true,
  php: "php-cgi",
  user: "www-data",
  nginxUser: "www-data",
  documentRoot: "/var/www/html",
  processors: 4,
};

/** What `init` writes, its pool as a comment: nothing starts that nobody has configured. */
export function firstConfig(): string {
  const text = starterText(DEBIAN);
  const at = text.indexOf("[pools.www]");
  const pool = text.slice(at).trimEnd().split("\n");
  return `${text.slice(0, at)}# A pool to begin with (\`fcgivisor init\` prints one for the PHP and the web server that are on this machine). Fill it
# in, look with \`fcgivisor check\`, and then:
#   systemctl enable --now fcgivisor     (without systemd: fcgivisor start)
#
${pool.map((line) => `# ${line}`).join("\n")}
`;
}

/** What `service` makes files from, for the config of the package with its example pool. */
async function factsOfPackage(): Promise<ServiceFacts> {
  const folder = mkdtempSync(join(tmpdir(), "fcgivisor-release-"));
  try {
    const file = join(folder, "fcgivisor.toml");
    writeFileSync(file, starterText(DEBIAN));
    const { config } = await loadConfig({
      file,
      env: {},
      uid: null,
      stateDirDefault: "/run/fcgivisor",
    });
    const place = `/${CONFIG_FILES[0]}`;
    const facts = serviceFacts(config, {});
    return { ...facts, program: `/${PROGRAM}`, config: place, words: ["-c", place] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What any pool may need that is not known yet, but for rights that would help an attacker most. */
function needsOfAny(facts: ServiceFacts): Needs {
  const any = { lowPorts: true, limits: true, priority: true, newPrivileges: true, homes: true };
  return { ...needsOf(facts), ...any, sharedTmp: [] };
}

/** The unit of `fcgivisor service systemd`, for whatever pools there will be. */
function unit(facts: ServiceFacts): string {
  return systemdUnit(facts, needsOfAny(facts))
    .replace(
      /^# \/etc[^]*?\n\n/,
      `# For the config /etc/fcgivisor/fcgivisor.toml, whatever its pools are. \`fcgivisor service systemd\` prints one for
# /etc/systemd/system that allows no more than your config needs: print it again when that changes. It must be that
# one where a pool has chroot, private_tmp or read_only, for which this unit gives no right.

`,
    )
    .replace(/^Description=.*$/m, "Description=fcgivisor: FastCGI workers");
}
