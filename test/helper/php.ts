// The programs that run PHP. What is promised for pools of one is promised for pools of the other, so a test
// of it runs over both.

import { phpFpmProgram, type Part } from "./packages.ts";
import { phpPool, type Spot, tcpSpot } from "./pool.ts";
import type { Supervisor } from "./program.ts";
import { behaviour, type BehaviourOptions, type Foreground, type Scene } from "./scene.ts";
import { runPool, type Serving, startPool } from "./serving.ts";

type Table = Record<string, unknown>;

export interface Php {
  readonly name: "php-cgi" | "php-fpm";
  readonly need: Part;
  /** Whether a single worker is forked by a leader, too. */
  readonly alwaysForks: boolean;
  /** A pool of it. Two workers are enough for most stories. */
  readonly pool: (spot: Spot, extra?: Table) => Table;
  /** A supervisor in the background with such a pool, named www, whose workers serve; on TCP unless the spot is another. */
  readonly start: (scene: Scene, extra?: Table, spot?: Spot) => Promise<Serving<Supervisor>>;
  /** The same in the foreground. */
  readonly run: (scene: Scene, extra?: Table, spot?: Spot) => Promise<Serving<Foreground>>;
}

export const PHP_CGI = php("php-cgi", false, phpPool);
export const PHP_FPM = php("php-fpm", true, (spot, extra) =>
  phpPool(spot, { command: [phpFpmProgram()!], ...extra }),
);
export const PHPS: readonly Php[] = [PHP_CGI, PHP_FPM];

/** A test of what holds for each of them. */
export function forEachPhp(
  title: string,
  { needs = [] }: BehaviourOptions,
  story: (scene: Scene, php: Php) => Promise<void>,
): void {
  for (const each of PHPS)
    behaviour(`${title}: ${each.name}`, { needs: [...needs, each.need] }, (scene) =>
      story(scene, each),
    );
}

function php(name: Php["name"], alwaysForks: boolean, pool: Php["pool"]): Php {
  const at = async (scene: Scene, spot?: Spot) => spot ?? (await tcpSpot(scene));
  return {
    name,
    need: name,
    alwaysForks,
    pool,
    start: async (scene, extra = {}, spot) => {
      const where = await at(scene, spot);
      return startPool(scene, where, pool(where, extra));
    },
    run: async (scene, extra = {}, spot) => {
      const where = await at(scene, spot);
      return runPool(scene, where, pool(where, extra));
    },
  };
}
