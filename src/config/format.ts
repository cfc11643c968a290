// Tells the format of a config from its content, and turns its bytes into text.

import { Fault } from "../fault.ts";

export type FileFormat = "toml" | "legacy-xml" | "php-fpm-ini";

/** The format of these bytes. Throws a Fault for what is no config of a known kind. */
export function formatOf(file: string, bytes: Uint8Array): FileFormat {
  if (looksUtf16(bytes)) return "legacy-xml";
  if (bytes.includes(0)) {
    throw new Fault("this is a binary file, not a config", {
      where: { file },
      hint: "name another file with -c FILE",
    });
  }
  const text = Buffer.from(bytes)
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "");
  if (/^\s*</.test(text)) return "legacy-xml";
  return isIni(text) ? "php-fpm-ini" : "toml";
}

/** The text of a TOML file, which is UTF-8. */
export function utf8Text(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Fault("this line is not UTF-8", {
      where: { file, line: firstBadLine(bytes) },
      hint: "save the file as UTF-8",
    });
  }
}

function looksUtf16(bytes: Uint8Array): boolean {
  const [a, b] = bytes;
  return (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff) || (a === 0x3c && b === 0);
}

function firstBadLine(bytes: Uint8Array): number {
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  const bad = lines.findIndex((line) => line.includes("\ufffd"));
  return bad < 0 ? 1 : bad + 1;
}

// What php-fpm writes and TOML cannot: comments with `;`, `[global]`, values without quotes.
// No pattern crosses the end of a line, or very many empty lines would take very long.
const INI = [
  /^[^\S\r\n]*\[global\]/im,
  /^[^\S\r\n]*;/m,
  /^[^\S\r\n]*pm[^\S\r\n]*=[^\S\r\n]*(static|dynamic|ondemand)[^\S\r\n]*(;|$)/im,
  /^[^\S\r\n]*pm\.\w+[^\S\r\n]*=/m,
  /^[^\S\r\n]*listen[^\S\r\n]*=[^\S\r\n]*(\d+\.|\/|\[?:|[a-z])/m,
  /^[^\S\r\n]*(include|error_log|pid|daemonize)[^\S\r\n]*=[^\S\r\n]*[^"'[\s]/m,
  /^[^\S\r\n]*(php_(admin_)?(value|flag)|env)\[[^\]\r\n]+\][^\S\r\n]*=/m,
];
const TOML_HEADER = /^[^\S\r\n]*\[(pools|supervisor|admin|log|defaults)[.\]]/m;

function isIni(text: string): boolean {
  return !TOML_HEADER.test(text) && INI.some((pattern) => pattern.test(text));
}
