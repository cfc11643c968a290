// Who mistypes a name is told the one that was probably meant, whichever kind of name it is.

import { expect } from "bun:test";
import { barePool, unixSpot } from "../helper/pool.ts";
import { behaviour, type Scene } from "../helper/scene.ts";

/** What a wrong line says, which must fail. */
async function told(scene: Scene, ...words: string[]): Promise<string> {
  const { code, stderr, stdout } = await scene.fcgivisor(words);
  expect([words, code > 0, stdout]).toEqual([words, true, ""]);
  return stderr;
}

behaviour("a command, an option, a topic, a kind of file", {}, async (scene) => {
  for (const [line, meant] of [
    ["relaod", "reload"],
    ["stauts -q", "status"],
    ["reload --dry-rnu", "--dry-run"],
    ["reload --nowait", "--no-wait"],
    ["run -config x", "--config"],
    ["help singals", "signals"],
    ["service systmd", "systemd"],
    ["schema answer", "answers"],
  ] as const)
    expect(await told(scene, ...line.split(" "))).toContain(`did you mean "${meant}"?`);
  expect(await told(scene, "xyzzy")).not.toContain("did you mean");
  expect(await told(scene, "responde")).not.toContain('"responder"');
});

behaviour("a pool, wherever one is named", {}, async (scene) => {
  const pools = {
    www: barePool(scene, unixSpot(scene, "w")),
    reports: barePool(scene, unixSpot(scene, "r")),
  };
  const supervisor = await scene.start({ pools });
  const at = ["-c", supervisor.configFile];
  for (const words of [
    ["reload", "report"],
    ["request", "/", "--pool", "report"],
    ["bench", "report", "/", "--reload-every", "1s"],
    ["service", "nginx", "--pool", "report"],
  ])
    expect(await told(scene, ...words, ...at)).toContain('did you mean "reports"?');
  expect(await told(scene, "reload", "nothing", ...at)).not.toContain("did you mean");
});
