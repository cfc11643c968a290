// The image layout and the .rpm, as far as a Debian can look at them.

import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { behaviour } from "../helper/scene.ts";
import { inOverlay, said, SAY } from "./overlay.ts";
import { makeNext, NEXT, RELEASE, released, VERSION } from "./releases.ts";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

const OCI = join(RELEASE, "oci");

/** The text of a blob, whose digest and size must be right. */
function blob({ digest, size }: Descriptor): Buffer {
  const [kind, sum = ""] = digest.split(":");
  const data = readFileSync(join(OCI, "blobs/sha256", sum));
  const actual = createHash("sha256").update(data).digest("hex");
  expect([kind, actual, data.length]).toEqual(["sha256", sum, size]);
  return data;
}

behaviour("the image layout holds together, and its layer is the program", {}, async (scene) => {
  expect(JSON.parse(readFileSync(join(OCI, "oci-layout"), "utf8"))).toEqual({
    imageLayoutVersion: "1.0.0",
  });
  const { manifests } = JSON.parse(readFileSync(join(OCI, "index.json"), "utf8")) as {
    manifests: Descriptor[];
  };
  const names = manifests.map((image) => Object.values(image.annotations!)[0]);
  expect(names).toEqual([VERSION, `${VERSION}-musl`]);
  for (const image of manifests) {
    const platforms = (JSON.parse(blob(image).toString()) as { manifests: Descriptor[] }).manifests;
    expect(platforms.map(({ platform }) => platform!.architecture).toSorted()).toEqual([
      "amd64",
      "arm64",
    ]);
    for (const platform of platforms) {
      const { config, layers } = JSON.parse(blob(platform).toString()) as {
        config: Descriptor;
        layers: [Descriptor];
      };
      const layer = Bun.gunzipSync(new Uint8Array(blob(layers[0])));
      const { rootfs, architecture } = JSON.parse(blob(config).toString());
      expect(rootfs.diff_ids).toEqual([
        `sha256:${createHash("sha256").update(layer).digest("hex")}`,
      ]);
      expect(architecture).toBe(platform.platform!.architecture);
    }
  }
  // No blob but those that are named.
  expect(readdirSync(join(OCI, "blobs/sha256")).length).toBe(2 + 4 * 3);
  const native = JSON.parse(blob(manifests[0]!).toString()).manifests.find(
    ({ platform }: Descriptor) =>
      platform!.architecture === (process.arch === "x64" ? "amd64" : "arm64"),
  );
  const { layers } = JSON.parse(blob(native).toString());
  const sum = (layers[0] as Descriptor).digest.replace("sha256:", "");
  mkdirSync(scene.path("rootfs"));
  await scene.command(["tar", "-xzf", join(OCI, "blobs/sha256", sum), "-C", scene.path("rootfs")]);
  const program = await scene.command([scene.path("rootfs/usr/bin/fcgivisor"), "--version"]);
  expect(program.stdout).toBe(`fcgivisor ${VERSION}\n`);
});

behaviour("SHA256SUMS names every file there is, rightly", {}, async (scene) => {
  const { code, stdout, stderr } = await scene.command(["sha256sum", "-c", "SHA256SUMS"], {
    cwd: RELEASE,
  });
  expect([code, stderr]).toEqual([0, ""]);
  const files = readdirSync(RELEASE, { recursive: true, encoding: "utf8" }).filter((path) =>
    statSync(join(RELEASE, path)).isFile(),
  );
  expect(stdout.trim().split("\n").length).toBe(files.length - 1);
});

const STORY = `${SAY}
of() { fcgivisor status --json | sed -n "s/^  \\"$1\\": \\"*\\([^\\",]*\\).*/\\1/p"; }
rpm --initdb 2>/dev/null
rpm -i --nodeps old.rpm >install.log 2>&1; say install $?
say running_after_install "$(pgrep -c fcgivisor)"
cat >>/etc/fcgivisor/fcgivisor.toml <<TOML
[pools.www]
listen = "/run/fcgivisor/www.sock"
command = ["php-cgi"]
user = "www-data"
workers = 2
start_timeout = "10m"
TOML
fcgivisor start >start.log 2>&1; say start $?
say version_before "$(of version)"; say pid_before "$(of pid)"
rpm -U --nodeps new.rpm >update.log 2>&1; say update $?
say version_after "$(of version)"; say pid_after "$(of pid)"
rpm -e fcgivisor >remove.log 2>&1; say remove $?
say running_after_remove "$(pgrep -c 'fcgivisor|php-cgi')"
say config_saved "$(ls /etc/fcgivisor)"
cat *.log >&2
`;

behaviour(
  "an .rpm starts nothing, becomes the new program at an update, and ends at its removal",
  { needs: ["root", "php-cgi", "an overlay mount"] },
  async (scene) => {
    if (Bun.which("rpm") === null) throw new Error("this test needs the Debian package rpm");
    makeNext(scene.path("next"), "rpm");
    await scene.command(["cp", released(/x86_64\.rpm$/), scene.path("old.rpm")]);
    await scene.command([
      "cp",
      released(/x86_64\.rpm$/, scene.path("next")),
      scene.path("new.rpm"),
    ]);
    const outcome = await inOverlay(scene, STORY);
    const told = said(outcome);
    expect(told, `${outcome.stdout}\n${outcome.stderr}`).toMatchObject({
      install: "0",
      running_after_install: "0",
      start: "0",
      version_before: VERSION,
      update: "0",
      version_after: NEXT,
      pid_after: told["pid_before"]!,
      remove: "0",
      running_after_remove: "0",
      config_saved: "fcgivisor.toml.rpmsave",
    });
  },
);
