// php-cgi that waits at gates of a test's choice on its way to serving, so that whoever starts it can be
// met in the middle. A gate has a name; while none of that name is closed, nobody waits.

import { gateFolder } from "./gate.ts";
import { findProgram } from "./packages.ts";
import { phpPool, type Spot } from "./pool.ts";
import type { Scene } from "./scene.ts";

/**
 * Where one waits, in the order in which a start and a reload come to it: php-cgi is asked about its
 * settings, one worker on a private socket is asked for the health page, the group is to come up.
 */
export const GATES = ["question", "health", "group"] as const;

/** A pool of it; groups of two workers or more, or the group cannot be told from the one asked for its health. */
export function gatedPhpPool(scene: Scene, spot: Spot, workers: number): Record<string, unknown> {
  const folder = gateFolder(scene);
  // Its process has the name of the file, as that of php-cgi itself has.
  const program = scene.write("bin/php-cgi", waitingProgram(folder), 0o755);
  const page = `<?php $_SERVER["QUERY_STRING"] = "${folder}/health"; require "${scene.fixture("php/gate.php")}";`;
  const health = { script: scene.write("www/health.php", page), expect: "waited", timeout: "10m" };
  return phpPool(spot, { command: [program], workers, health });
}

function waitingProgram(folder: string): string {
  return `#!/bin/sh
case "$*" in
*-v) gate=${folder}/question ;;
*) gate=${folder}/\${PHP_FCGI_CHILDREN:+group} ;;
esac
if [ -f "$gate" ]; then
  echo $$ >"$gate.new"
  mv "$gate.new" "$gate.at"
  while [ -f "$gate" ]; do sleep 0.05; done
fi
exec ${findProgram("php-cgi")} "$@"
`;
}
