// php-fpm of the releases that people run: the promises that hang on what php-fpm itself does and writes.

import { expect } from "bun:test";
import { crash, recovered } from "../helper/crash.ts";
import { fcgi } from "../helper/fcgi.ts";
import { holdPhp } from "../helper/gate.ts";
import type { Part } from "../helper/packages.ts";
import { PHP_FPM } from "../helper/php.ts";
import { PHP_VERSIONS, phpOf } from "../helper/php-versions.ts";
import { bodyOf, renewed } from "../helper/pool.ts";
import { leadersAt, listenersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { underLoad } from "../helper/under-load.ts";

for (const version of PHP_VERSIONS) {
  const part: Part = version === "8.2" ? "php-fpm" : `php${version}`;
  const title = `php-fpm ${version}: reload, death of the supervisor, signals by hand and output`;
  behaviour(title, { needs: [part] }, async (scene) => {
    const found = phpOf(version);
    if (typeof found === "string") throw new Error(found);
    const odd = `a 'b' "c" (d); $e \${PATH} | f!`;
    const php = {
      defines: { user_agent: odd, log_errors: "1", display_errors: "0" },
      admin: { memory_limit: "99M" },
    };
    const extra = { command: [found.fpm], workers: 3, env: { ODD: odd }, php };
    const { spot, supervisor: first, workers } = await PHP_FPM.start(scene, extra);
    const sockets = listenersAt(spot.where);
    const code = `<?php error_log("noted"); echo implode("\\n", [getenv("ODD"), ini_get("user_agent"), PHP_VERSION]);`;
    const seen = await bodyOf(spot, { script: scene.write("www/seen.php", code) });
    const [env, setting, is] = seen.split("\n");
    expect([env, setting]).toEqual([odd, odd]);
    expect(is).toStartWith(`${version}.`);

    const held = await holdPhp(scene, spot);
    let old = workers;
    await underLoad(spot, { script: scene.fixture("php/hello.php") }, async ({ further }) => {
      const { stdout } = await first.control("status", "--json");
      const there = JSON.parse(stdout).pools[0].groups[0].workers;
      const busy = there.find(({ pid }: { pid: number }) => pid === held.worker);
      expect(busy).toMatchObject({ state: "busy", request: { method: "GET" } });

      const reload = first.control("reload");
      old = await renewed(spot, { count: 3, old, kept: [held.worker] });
      await held.finish();
      expect(await reload).toMatchObject({ code: 0 });

      await crash(first);
      await further(5);
      const second = await recovered(scene, first);
      old = await renewed(spot, { count: 3, old });
      expect(listenersAt(spot.where)).toEqual(sockets);

      process.kill(leadersAt(spot.where)[0]!, "SIGUSR2");
      await second.logged("use `fcgivisor reload` instead");
      old = await renewed(spot, { count: 3, old });
      await further(5);
    });
    process.kill(old[0]!, "SIGSEGV");
    await first.logged(`worker ${old[0]} of pool www was killed by SIGSEGV`);
    await fcgi(spot.where, { script: scene.write("www/die.php", "<?php nowhere();") });
    await first.logged(/error {3}pool www, worker \d+: PHP Fatal error: .*nowhere/);
    expect(first.log()).toMatch(/output {2}pool www, worker \d+: noted$/m);
    expect(first.log()).not.toMatch(/ready to handle|inherited socket|exited on signal/);
  });
}
