// Everything that a worker controls, at random and together (test/fixture/attack/shape.c): meanwhile
// each command and each path answers as the manual says and sends nothing to a terminal, a reload brings
// workers that serve, and the stop at the end leaves nothing.
//
// FUZZ_SEED=N makes the workers do the same again, FUZZ_ROUNDS=N makes it longer or shorter.

import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { gate } from "../helper/gate.ts";
import { NO_HURRY, type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { cpuMsOf } from "../helper/processes.ts";
import type { Outcome, Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { random } from "../config-cases/random.ts";

const ROUNDS = Number(process.env["FUZZ_ROUNDS"] ?? 12);
/** A machine that decides over a change should decide the same twice; people get a new one each time. */
const FIXED_SEED = 954_143_897;
const ANY_SEED = process.env["CI"] === "true" ? FIXED_SEED : Math.floor(Math.random() * 1e9);
const SEED = Number(process.env["FUZZ_SEED"] ?? ANY_SEED);
/** CPU time of the supervisor and the commands, after which no round begins. */
const MOST_CPU_MS = 8_000;
/** Everything that acts on a terminal, but for the line end and the tab. */
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** A pool of workers that shape themselves; its program bears PHP's name, so that they are looked into. */
function shapedPool(scene: Scene, spot: Spot, size: number): Record<string, unknown> {
  return {
    ...NO_HURRY,
    listen: spot.listen,
    command: [scene.path("bin/php-cgi")],
    workers: 4,
    group_size: size,
    drain_timeout: "1s",
    log_rate: "64K",
  };
}

/** Has some workers shape themselves; `begun` when one has come as far as it gets. */
function shape(scene: Scene, { where }: Spot, seed: () => number) {
  const all = Array.from({ length: 3 }, () => {
    const { path, at, reached, open } = gate(scene);
    const answer = fcgi(where, { query: `${seed()}:${path}` }).catch(() => null);
    // That it never gets to its gate is no fault where another one does.
    return { at, open, begun: Promise.race([answer, reached().catch(() => null)]) };
  });
  return {
    begun: Promise.race(all.map(({ begun }) => begun)),
    open: () => all.forEach(({ open }) => open()),
    /** How many have come to their gates. */
    shaped: () => all.filter(({ at }) => at() !== null).length,
  };
}

/** A command that ends as the manual says: done, or failed with a reason. */
async function ask(supervisor: Supervisor, words: readonly string[]): Promise<Outcome> {
  const outcome = await supervisor.control(...words);
  const { code, stdout, stderr } = outcome;
  expect(`${stdout}${stderr}`).not.toMatch(UNSAFE);
  const isDown = words[0] === "status" && /\bdown\b/.test(stdout);
  if (code !== 1 || !isDown) expect(code, `${words}: ${stdout}${stderr}`).toBe(0);
  return outcome;
}

/** Asks all that can be asked; gives the CPU time of the commands, in milliseconds. */
async function askAll(supervisor: Supervisor): Promise<number> {
  const text = await ask(supervisor, ["status"]);
  const json = await ask(supervisor, ["status", "--json"]);
  expect(JSON.parse(json.stdout)).toHaveProperty("pools");
  for (const [path, statuses] of PATHS) {
    const answer = await supervisor.http(path, { keepalive: false });
    expect(statuses as readonly number[], path).toContain(answer.status);
    expect(await answer.text()).not.toMatch(UNSAFE);
  }
  return text.cpuMs + json.cpuMs;
}

const PATHS = [
  ["/metrics?workers=true", [200]],
  ["/v1/advice", [200]],
  ["/readyz", [200, 503]],
  ["/healthz", [200]],
] as const;

behaviour(
  `nothing that workers do to themselves confuses, blocks or stains the supervisor (FUZZ_SEED=${SEED})`,
  { needs: ["root", "gcc", "libc-headers"] },
  async (scene) => {
    mkdirSync(scene.path("bin"));
    const source = scene.fixture("attack/shape.c");
    const made = await scene.command(["gcc", "-rdynamic", "-o", scene.path("bin/php-cgi"), source]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const [tcp, unix] = [await tcpSpot(scene), unixSpot(scene)];
    const pools = { pairs: shapedPool(scene, tcp, 2), singles: shapedPool(scene, unix, 1) };
    const supervisor = await scene.start({ pools });
    const pick = random(SEED);
    let [commandsMs, shaped] = [0, 0];
    const spentMs = () => commandsMs + cpuMsOf(supervisor.pid);
    for (let round = 0; round < ROUNDS && spentMs() < MOST_CPU_MS; round++) {
      const shapes = [tcp, unix].map((spot) => shape(scene, spot, () => pick.below(2 ** 32)));
      await Promise.all(shapes.map(({ begun }) => begun));
      commandsMs += await askAll(supervisor);
      for (const each of shapes) {
        shaped += each.shaped();
        each.open();
      }
      const reload = await ask(supervisor, ["reload"]);
      commandsMs += reload.cpuMs + (await askAll(supervisor));
    }
    expect(shaped).toBeGreaterThan(0);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    await supervisor.gone();
    expect(supervisor.log()).not.toMatch(UNSAFE);
  },
);
