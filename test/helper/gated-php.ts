// PHP that waits at gates of a test's choice on its way to serving, so that whoever starts it can be
// met in the middle. A gate has a name; while none of that name is closed, nobody waits.

import { basename } from "node:path";
import { gateFolder } from "./gate.ts";
import { findProgram, phpFpmProgram } from "./packages.ts";
import type { Php } from "./php.ts";
import type { Spot } from "./pool.ts";
import type { Scene } from "./scene.ts";

/**
 * Where one waits, in the order in which a start and a reload come to it: it is asked about its
 * settings, one worker on a private socket is asked for the health page, the group is to come up.
 */
export const GATES = ["question", "health", "group"] as const;

/** How a shell tells from its arguments what it is started for. */
const TESTS: Readonly<Record<Php["name"], { question: string; isGroup: string }>> = {
  "php-cgi": { question: "*-v", isGroup: '[ -n "$PHP_FCGI_CHILDREN" ]' },
  "php-fpm": {
    question: "*--test",
    isGroup: '! grep -q "^pm.max_children = 1$" "$(echo "$*" | grep -o "[^ ]*\\.conf")"',
  },
};

/** A pool of it; groups of two workers or more, or the group cannot be told from the one asked for its health. */
export function gatedPhpPool(
  scene: Scene,
  php: Php,
  spot: Spot,
  workers: number,
): Record<string, unknown> {
  const folder = gateFolder(scene);
  const program = php.name === "php-fpm" ? phpFpmProgram()! : findProgram("php-cgi")!;
  // Its process has the name of the file, as that of the program itself has.
  const name = php.name === "php-fpm" ? basename(program) : "php-cgi";
  const waiting = scene.write(`bin/${name}`, waitingProgram(folder, php.name, program), 0o755);
  const page = `<?php $_SERVER["QUERY_STRING"] = "${folder}/health"; require "${scene.fixture("php/gate.php")}";`;
  const health = { script: scene.write("www/health.php", page), expect: "waited", timeout: "10m" };
  return php.pool(spot, { command: [waiting], workers, health });
}

function waitingProgram(folder: string, name: Php["name"], program: string): string {
  const { question, isGroup } = TESTS[name];
  return `#!/bin/sh
gate=${folder}/
case "$*" in
${question}) gate=${folder}/question ;;
*) if ${isGroup}; then gate=${folder}/group; fi ;;
esac
if [ -f "$gate" ]; then
  echo $$ >"$gate.new"
  mv "$gate.new" "$gate.at"
  while [ -f "$gate" ]; do sleep 0.05; done
fi
exec ${program} "$@"
`;
}
