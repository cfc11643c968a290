// An image in the OCI layout (opencontainers/image-spec v1.1), for `COPY --from`: one layer with the program and nothing
// else, for both processors. It is not to be run by itself: workers and their libraries come from another image.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM } from "./installed.ts";
import { tar } from "./tar.ts";
import { ARCH_NAMES, type Built, type Release } from "./targets.ts";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const TYPE = "application/vnd.oci.image";

/** Makes one image for each libc in one layout, named VERSION and VERSION-musl, and returns the layout's path. */
export function makeOci(built: readonly Built[], release: Release): string {
  const layout = join(release.folder, "oci");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const put = (mediaType: string, data: string | Uint8Array): Descriptor => {
    const bytes = Buffer.from(data);
    const digest = sha256(bytes);
    writeFileSync(join(layout, "blobs/sha256", digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const images = (["glibc", "musl"] as const).map((libc) => {
    const fitting = built.filter(({ target }) => target.libc === libc);
    const manifests = fitting.map((one) => manifest(one, release, put));
    const index = { schemaVersion: 2, mediaType: `${TYPE}.index.v1+json`, manifests };
    const name = `${release.version}${libc === "musl" ? "-musl" : ""}`;
    return {
      ...put(index.mediaType, JSON.stringify(index)),
      annotations: { "org.opencontainers.image.ref.name": name },
    };
  });
  const index = { schemaVersion: 2, mediaType: `${TYPE}.index.v1+json`, manifests: images };
  writeFileSync(join(layout, "index.json"), JSON.stringify(index));
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return layout;
}

type Put = (mediaType: string, data: string | Uint8Array) => Descriptor;

function manifest({ target, path }: Built, { version, epoch }: Release, put: Put) {
  const created = new Date(epoch * 1000).toISOString();
  const folders = ["usr/", "usr/bin/"].map((name) => ({
    path: name,
    mode: 0o755,
    data: new Uint8Array(),
  }));
  const archive = tar(
    [...folders, { path: PROGRAM, mode: 0o755, data: readFileSync(path) }],
    epoch,
  );
  const layer = put(`${TYPE}.layer.v1.tar+gzip`, Bun.gzipSync(archive));
  const platform = { architecture: ARCH_NAMES.oci[target.arch], os: "linux" };
  const config = put(
    `${TYPE}.config.v1+json`,
    JSON.stringify({
      created,
      ...platform,
      config: {
        Entrypoint: [`/${PROGRAM}`],
        Labels: { "org.opencontainers.image.version": version },
      },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(archive)}`] },
      history: [{ created, created_by: "fcgivisor release" }],
    }),
  );
  const mediaType = `${TYPE}.manifest.v1+json`;
  const body = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] });
  return { ...put(mediaType, body), platform };
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
