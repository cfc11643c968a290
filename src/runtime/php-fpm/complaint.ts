// What php-fpm complains of in the file that it is given, told at the operator's own line: that file is ours, and
// nobody has seen it. Pure.

import type { PoolConfig } from "../../config/model.ts";
import { directiveName } from "../../config/php-fpm/directives.ts";
import { Fault } from "../../fault.ts";

/** A line of php-fpm's, without its time and level. */
export function complaint(pool: PoolConfig, text: string): Fault {
  const directive = directiveIn(pool, text);
  const place = directive === null ? undefined : pool.place?.fpm.get(directive);
  const hint = hintFor(text);
  return new Fault(`php-fpm says: ${text}`, {
    where: place ?? `pool ${pool.name}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The directive of the pool's that the text is about, by its name or its value; null: none of them. */
function directiveIn({ fpm }: PoolConfig, text: string): string | null {
  const names = [...fpm.keys()].toSorted((a, b) => b.length - a.length);
  const named = names.find((name) =>
    namesIn(directiveName(name)).some((each) => text.includes(each)),
  );
  return named ?? names.find((name) => isValueIn(fpm.get(name)!, text)) ?? null;
}

/** "failed to open access log" is about access.log. */
function namesIn(name: string): string[] {
  return [name, name.replaceAll(".", " ")];
}

/** A short one may stand anywhere by chance. */
const SHORTEST = 3;

function isValueIn(value: string, text: string): boolean {
  return value.length >= SHORTEST && text.includes(value);
}

function hintFor(text: string): string | undefined {
  if (/No such file or directory/.test(text)) return "create its folder, or name another file";
  if (/Permission denied/.test(text))
    return "let the user of the supervisor write there, or name another file";
  return undefined;
}
