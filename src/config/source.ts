// Reads a config file as bytes, and says quickly and plainly when it is none: looked at before it is
// opened, because opening a FIFO would wait for a writer.

import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { Fault } from "../fault.ts";
import { shellWord } from "../log/words.ts";

/**
 * Bytes: thousands of pools, and little enough that the worst of what can stand in so many is read in
 * about a second of CPU. A larger file is a mistake.
 */
const LARGEST = 4 * 1024 * 1024;

/** The bytes of a config file. Throws a Fault when it cannot be one. */
export async function readSource(file: string): Promise<Uint8Array> {
  const bytes = await readBytes(file);
  if (bytes.length === 0) throw bad(file, "the config file is empty", EXAMPLE_HINT);
  if (bytes.length > LARGEST) throw tooLarge(file);
  return bytes;
}

const EXAMPLE_HINT =
  'the least there can be: [pools.www] with listen = "127.0.0.1:9000" and command = ["php-cgi"]';

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw bad(file, "this is a directory, not a config file");
    if (!found.isFile()) throw bad(file, "this is not a regular file");
    if (found.size > LARGEST) throw tooLarge(file);
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof Fault ? error : unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): Fault {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return bad(file, "there is no such config file");
    case "EACCES":
    case "EPERM":
      return bad(file, "this user may not read the config file", `see: ls -l ${shellWord(file)}`);
    case "ELOOP":
      return bad(file, "this is a symbolic link that leads in a circle");
    default:
      return new Fault("the config file cannot be read", { where: file, cause: error });
  }
}

function tooLarge(file: string): Fault {
  const most = LARGEST / 1024 / 1024;
  const hint = "if it is one, put its pools into files of their own, and name them with include";
  return bad(file, `the file is larger than ${most} MB: this cannot be a config`, hint);
}

function bad(
  file: string,
  message: string,
  hint = "name another file (for most commands with -c FILE)",
): Fault {
  return new Fault(message, { where: { file }, hint });
}
