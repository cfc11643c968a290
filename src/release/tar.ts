// Writes tar archives (POSIX ustar) of files in memory. The same input gives the same bytes: every entry is
// root's and has the time of the release.

export interface TarEntry {
  /** Without a slash at its beginning; of a folder with one at its end. */
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array;
}

const BLOCK = 512;

/** The archive, entries in the order given. Throws for a path that ustar cannot hold. */
export function tar(entries: readonly TarEntry[], epoch: number): Uint8Array<ArrayBuffer> {
  const parts = entries.flatMap((entry) => [header(entry, epoch), padded(entry.data)]);
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const archive = new Uint8Array(size + 2 * BLOCK);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

function padded(data: Uint8Array): Uint8Array {
  const blocks = new Uint8Array(Math.ceil(data.length / BLOCK) * BLOCK);
  blocks.set(data);
  return blocks;
}

function header({ path, mode, data }: TarEntry, epoch: number): Uint8Array {
  if (Buffer.byteLength(path) > 100) throw new Error(`too long for a tar archive: ${path}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  block.write(path, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(data.length, 124, 12);
  octal(epoch, 136, 12);
  block.write(" ".repeat(8), 148);
  block.write(path.endsWith("/") ? "5" : "0", 156);
  block.write("ustar\0" + "00", 257, "latin1");
  block.write("root", 265);
  block.write("root", 297);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
