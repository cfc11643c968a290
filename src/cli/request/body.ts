// The body of `request --data`: text, `@FILE`, or `-` for standard input. CGI programs want the
// length first, so what has none (a pipe) is read to its end unless a header tells it.

import { accessSync, constants, fstatSync, statSync } from "node:fs";
import { Fault } from "../../fault.ts";

export interface RequestBody {
  readonly data: Uint8Array | ReadableStream<Uint8Array>;
  readonly length: number;
}

/** `declared` is the Content-Length given by hand. Throws a Fault when the file cannot be read. */
export async function requestBody(text: string, declared: number | null): Promise<RequestBody> {
  if (text === "-") return fromStdin(declared);
  if (text.startsWith("@")) return fromFile(text.slice(1));
  const data = Buffer.from(text);
  return { data, length: declared ?? data.length };
}

function fromFile(path: string): RequestBody {
  const hint =
    "name a file that this user may read; text that begins with @ can come from stdin (-d -)";
  try {
    const stat = statSync(path);
    accessSync(path, constants.R_OK);
    if (!stat.isDirectory()) return { data: Bun.file(path).stream(), length: stat.size };
  } catch (cause) {
    throw new Fault("cannot read the body", { where: path, hint, cause });
  }
  throw new Fault("cannot read the body: this is a directory", { where: path, hint });
}

async function fromStdin(declared: number | null): Promise<RequestBody> {
  const stat = fstatSync(0);
  const length = declared ?? (stat.isFile() ? stat.size : null);
  if (length !== null) return { data: Bun.stdin.stream(), length };
  const data = await Bun.stdin.bytes();
  return { data, length: data.length };
}
