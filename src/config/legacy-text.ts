// The bytes of a legacy file as text. XML says its own encoding; many of these files are in the
// encoding of the country they were written in.

import type { Encoding } from "bun";
import { Fault } from "../fault.ts";

/** Text with plain newlines and no byte order mark. Throws a Fault for bytes that are no text. */
export function legacyText(file: string, bytes: Uint8Array): string {
  const declared = declaredEncoding(bytes);
  const label = declared ?? "utf-8";
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
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  const bad = lines.findIndex((line) => line.includes("\ufffd"));
  return new Fault(`this line is not ${declared ?? "UTF-8"}`, {
    where: { file, line: bad < 0 ? 1 : bad + 1 },
    hint: 'declare the encoding in the first line: <?xml version="1.0" encoding="GBK"?>',
  });
}
