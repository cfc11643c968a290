// A folder for one test, gone afterwards whatever happens.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "fcgivisor-config-"));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Writes a file, its folders included, and returns its path. */
export async function write(
  dir: string,
  name: string,
  content: string | Uint8Array,
): Promise<string> {
  const file = join(dir, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}
