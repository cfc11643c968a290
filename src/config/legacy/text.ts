// The bytes of a legacy file as text. XML says its own encoding; many of these files are in the
// encoding of the country they were written in.

import type { Encoding } from "bun";
import { Fault } from "../../fault.ts";

/** Hundreds of times the size of any such file that was found; larger ones would take long to read. */
const LARGEST_MB = 1;

/** Text with plain newlines and no byte order mark. Throws a Fault for bytes that are no text, or too many. */
export function legacyText(file: string, bytes: Uint8Array): string {
  if (bytes.length > LARGEST_MB * 1024 * 1024) {
    throw new Fault(`the file is larger than ${LARGEST_MB} MB: this cannot be a config in XML`, {
      where: { file },
      hint: "name another file (for most commands with -c FILE)",
    });
  }
  const declared = declaredEncoding(bytes);
  const label = declared ?? "utf-8";
  if (/^utf-?16/i.test(label) && !hasUtf16(bytes)) {
    throw new Fault(`the file says it is ${label}, but it is not: one byte is one character here`, {
      where: { file, line: 1 },
      hint: 'declare the encoding it has: <?xml version="1.0" encoding="UTF-8"?>',
    });
  }
  try {
    const text = new TextDecoder(label as Encoding, { fatal: true }).decode(bytes);
    return text.replace(/^\ufeff/, "").replaceAll(/\r\n?/g, "\n");
  } catch (error) {
    if (error instanceof RangeError) {
      throw new Fault(`the encoding "${label}" is not known`, {
        where: { file, line: 1 },
        hint: "convert the file with iconv(1) and declare UTF-8",
      });
    }
    throw notText(file, bytes, declared);
  }
}

function hasUtf16(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 4).includes(0) || bytes[0] === 0xff || bytes[0] === 0xfe;
}

function declaredEncoding(bytes: Uint8Array): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  if (bytes[0] === 0x3c && bytes[1] === 0) return "utf-16le";
  const head = Buffer.from(bytes.subarray(0, 300)).toString("latin1");
  return (
    /^(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)["']/.exec(head)?.[1] ?? null
  );
}

function notText(file: string, bytes: Uint8Array, declared: string | null): Fault {
  const label = declared ?? "utf-8";
  const at = firstBadByte(bytes, label);
  const before = Buffer.from(bytes.subarray(0, at));
  const line = before.toString("latin1").split("\n").length;
  const column = at - before.lastIndexOf(0x0a);
  const byte = (bytes[at] ?? 0).toString(16).padStart(2, "0").toUpperCase();
  const name = declared ?? "UTF-8";
  return new Fault(`byte 0x${byte} (byte ${column} of this line) is not ${name}`, {
    where: { file, line },
    hint:
      declared === null
        ? 'declare the encoding in the first line: <?xml version="1.0" encoding="GBK"?>'
        : `the file is not in the encoding it declares: correct ${declared}, or the text`,
  });
}

/** The length of the longest beginning that can be decoded. */
function firstBadByte(bytes: Uint8Array, label: string): number {
  let [low, high] = [0, bytes.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (decodes(bytes.subarray(0, middle), label)) low = middle;
    else high = middle - 1;
  }
  // A character that only its last byte spoils is named by its first.
  while (low > 0 && !endsWhole(bytes.subarray(0, low), label)) low--;
  return Math.min(low, bytes.length - 1);
}

function decodes(bytes: Uint8Array, label: string): boolean {
  try {
    new TextDecoder(label as Encoding, { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function endsWhole(bytes: Uint8Array, label: string): boolean {
  try {
    new TextDecoder(label as Encoding, { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
