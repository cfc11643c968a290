// Reads a legacy XML file into entries. The only door to Bun.XML.

import { Fault } from "../fault.ts";
import type { Draft } from "./draft.ts";
import type { Problems } from "./problems.ts";
export function readLegacyXml(
  file: string,
  _b: Uint8Array,
  _p: string | undefined,
  _q: Problems,
): Draft {
  throw new Fault("legacy XML is not read yet", { where: { file } });
}
