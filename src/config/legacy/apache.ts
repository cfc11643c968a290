// What an apache-like pool of a legacy file was meant to be. php-fpm 0.5 read its numbers and never used
// them; `convert` offers the pool that follows the load as a comment.

import { lastOf } from "./pool.ts";
import type { LegacyValue } from "./section.ts";

/** Lines of TOML to uncomment; none for a pool of another style. */
export function apacheLikeNotes(values: readonly LegacyValue[]): string[] {
  if (lastOf(values, "pool/pm/style")?.text !== "apache-like") return [];
  const number = (name: string) =>
    Number.parseInt(lastOf(values, `pool/pm/${name}`)?.text ?? "", 10);
  const workers = number("max_children");
  if (!(workers > 0)) return [];
  const between = (least: number, wanted: number, most: number) =>
    Math.max(least, Math.min(Number.isNaN(wanted) ? least : wanted, most));
  const most = between(1, number("apache_like/MaxSpareServers") || workers, workers);
  const least = between(1, number("apache_like/MinSpareServers"), most);
  const start = between(least, number("apache_like/StartServers"), workers);
  return [
    "apache-like meant a pool that follows the load, which php-fpm 0.5 never did. To have one:",
    'scaling = "dynamic"',
    `start_workers = ${start}`,
    `min_spare = ${least}`,
    `max_spare = ${most}`,
  ];
}
