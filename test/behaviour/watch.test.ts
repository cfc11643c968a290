// `status` on a terminal: what fits, and the full screen of `--watch`, which does not flicker, follows the size of the
// terminal, asks before it does anything, and leaves the terminal as it was.

import { expect } from "bun:test";
import { hold } from "../helper/gate.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { startBare, startPhp } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";
import { terminal, type Terminal } from "../helper/tmux.ts";
import { eventually } from "../helper/wait.ts";

const TMUX = { needs: ["tmux"] } as const;
const SMALL = { columns: 80, rows: 24 };

async function shows(tty: Terminal, what: string | RegExp): Promise<string[]> {
  const matches = (line: string) =>
    typeof what === "string" ? line.includes(what) : what.test(line);
  return eventually(
    () => {
      const screen = tty.screen();
      return screen.some(matches) ? screen : null;
    },
    { what: `the terminal shows ${what}` },
  );
}

/** The screen of `status --watch`, with a shell before it whose line must be there again afterwards. */
function watching(scene: Scene, config: string, size = SMALL): Terminal {
  const stty = "stty -g";
  const line = `echo before; ${stty} >stty1; ${BINARY} status --watch -c ${config}; echo over $?; ${stty} >stty2`;
  return terminal(scene, line, size);
}

behaviour(
  "the whole screen at 80x24 and at 200x50, resized while it is watched",
  TMUX,
  async (scene) => {
    const { spot, supervisor } = await startBare(scene, { workers: 2 });
    const held = await hold(scene, spot);
    const tty = watching(scene, supervisor.configFile);
    const small = await shows(tty, "1/2");
    expect(small).toHaveLength(24);
    expect(small[0]).toContain(`process ${supervisor.pid}`);
    expect(small.find((line) => line.includes("www"))).toMatch(/serving +█+·+ +1\/2 /);
    expect(small.join("\n")).toMatch(new RegExp(`^\\d\\.\\d s +${held.worker} +www`, "m"));
    await shows(tty, /^\d\d:\d\d:\d\d notice .* is ready/);
    expect(small[23]).toContain("q quit");
    const bars = (screen: readonly string[]) =>
      /[█·]+/.exec(screen.find((line) => line.includes("www"))!)![0].length;
    tty.resize(200, 50);
    const large = await eventually(() => {
      const screen = tty.screen();
      return screen.length === 50 && screen[49]!.includes("q quit") ? screen : null;
    });
    expect(bars(large)).toBeGreaterThan(bars(small));
    tty.resize(60, 12);
    await eventually(() => {
      const screen = tty.screen();
      return (
        screen.length === 12 && screen[11]!.includes("q quit") && screen[0]!.includes("fcgivisor")
      );
    });
    held.open();
    await held.answer;
    await shows(tty, "0/2");
  },
);

behaviour("nothing is cleared before it is written: no flicker", TMUX, async (scene) => {
  const { supervisor } = await startBare(scene);
  const tty = watching(scene, supervisor.configFile);
  await shows(tty, "0/2");
  const file = scene.path("written");
  tty.record(file);
  const frames = await eventually(() => {
    const written = textOf(file).split("\x1b[?2026h").slice(1, -1);
    return written.length >= 2 ? written : null;
  });
  for (const frame of frames) {
    expect(frame).toStartWith("\x1b[H");
    expect(frame).not.toContain("\x1b[2J");
    // Below the last line is cleared what a smaller screen has left.
    expect(frame).toEndWith("\x1b[J\x1b[?2026l");
    expect(frame.split("\r\n")).toHaveLength(SMALL.rows);
  }
});

behaviour("a reload is asked for, and done for the pool that is chosen", TMUX, async (scene) => {
  const { supervisor } = await startBare(scene);
  const tty = watching(scene, supervisor.configFile);
  await shows(tty, "0/2");
  tty.press("r");
  await shows(tty, "reload all pools? y for yes");
  tty.press("n");
  await shows(tty, "nothing was done");
  tty.press("Down");
  await shows(tty, "> www");
  tty.press("r");
  await shows(tty, "reload pool www? y for yes");
  expect((await statusOf(supervisor)).generation).toBe(1);
  tty.press("y");
  await shows(tty, /^reloaded in .* generation 2/);
  expect((await statusOf(supervisor)).generation).toBe(2);
  expect(supervisor.log()).toContain("requested by the control socket");
  tty.press("s");
  await shows(tty, "sorted by busy");
});

behaviour(
  "the pool that is chosen is scaled, paused and resumed from there, once somebody has said yes",
  TMUX,
  async (scene) => {
    const { supervisor } = await startBare(scene, { workers: 4 });
    const tty = watching(scene, supervisor.configFile);
    await shows(tty, "0/4");
    tty.press("+");
    await shows(tty, "choose a pool first");
    tty.press("Down");
    await shows(tty, "> www");
    tty.press("-");
    await shows(tty, "scale pool www by -1? y for yes");
    tty.press("-");
    await shows(tty, "scale pool www by -2? y for yes");
    tty.press("y");
    await shows(tty, "2 active workers (was 4)");
    // Two are parked: they have a place of their own in the bar, and a column.
    await shows(tty, /> www +serving +·+░+ +0\/4 .* 2$/);
    tty.press("p");
    await shows(tty, "pause pool www? y for yes");
    tty.press("n");
    await shows(tty, "nothing was done");
    expect((await statusOf(supervisor)).pools[0]!.state).toBe("serving");
    tty.press("p");
    await shows(tty, "pause pool www?");
    tty.press("y");
    await shows(tty, /> www +paused /);
    tty.press("p");
    await shows(tty, "resume pool www? y for yes");
    tty.press("y");
    await shows(tty, /> www +serving /);
  },
);

behaviour(
  "beside a request is the function that its worker is in",
  { needs: ["tmux", "php-cgi"] },
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene);
    const script = scene.write(
      "stuck.php",
      "<?php function waits() { while (file_exists($_SERVER['QUERY_STRING'])) { file_put_contents($_SERVER['QUERY_STRING'] . '.at', getmypid() . \"\\n\"); usleep(50000); clearstatcache(); } echo getmypid(); } waits();",
      0o644,
    );
    const held = await hold(scene, spot, { script });
    const tty = watching(scene, supervisor.configFile, { columns: 120, rows: 30 });
    await shows(
      tty,
      new RegExp(`^\\d\\.\\d s +${held.worker} +www +\\S.* (usleep|waits)\\(\\) at stuck`),
    );
    await held.finish();
  },
);

for (const [how, end, code] of [
  ["q", (tty: Terminal) => tty.press("q"), 0],
  ["ctrl-C", (tty: Terminal) => tty.press("C-c"), 0],
  ["SIGTERM", (tty: Terminal) => process.kill(watcher(tty), "SIGTERM"), 0],
] as const)
  behaviour(`${how} leaves the terminal as it was`, TMUX, async (scene) => {
    const { supervisor } = await startBare(scene);
    const tty = watching(scene, supervisor.configFile);
    await shows(tty, "0/2");
    expect(tty.ask("#{alternate_on} #{cursor_flag}")).toBe("1 0");
    end(tty);
    const screen = await shows(tty, `over ${code}`);
    expect(screen.slice(0, 2)).toEqual(["before", `over ${code}`]);
    expect(tty.ask("#{alternate_on} #{cursor_flag}")).toBe("0 1");
    await eventually(() => textOf(scene.path("stty2")) !== "");
    expect(textOf(scene.path("stty2"))).toBe(textOf(scene.path("stty1")));
  });

/** The process that has the terminal. */
function watcher(tty: Terminal): number {
  const shell = tty.ask("#{pane_pid}");
  const { stdout } = Bun.spawnSync(["cat", `/proc/${shell}/task/${shell}/children`]);
  return Number(stdout.toString().trim());
}

behaviour("a supervisor that goes is shown as gone, and found again", TMUX, async (scene) => {
  const { supervisor } = await startBare(scene);
  const tty = watching(scene, supervisor.configFile);
  await shows(tty, "0/2");
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  await shows(tty, "fcgivisor is not running");
  expect(await supervisor.control("start")).toMatchObject({ code: 0 });
  scene.followDaemon(supervisor.configFile);
  await shows(tty, "running for");
});

behaviour(
  "status fits 80 columns on a terminal, in colours unless NO_COLOR is set",
  TMUX,
  async (scene) => {
    const name = "a-pool-with-a-name-as-long-as-the-name-of-a-pool-may-be-at-most";
    const spot = scene.path("a-folder-with-a-long-name/and-a-socket-with-a-long-name.sock");
    scene.write("a-folder-with-a-long-name/x", "");
    const command = [scene.fixture("fcgi/bare.pl")];
    const supervisor = await scene.start({
      pools: { [name]: { listen: spot, command, workers: 2 } },
    });
    const line = `${BINARY} status -c ${supervisor.configFile}`;
    const tty = terminal(
      scene,
      `while [ ! -f go ]; do sleep 0.05; done; ${line}; NO_COLOR=1 ${line}; echo over`,
      {
        columns: 80,
        rows: 40,
      },
    );
    const file = scene.path("written");
    tty.record(file);
    scene.write("go", "");
    await shows(tty, "over");
    const rows = tty.screen().filter((each) => each.startsWith("a-pool"));
    expect(rows).toHaveLength(2);
    for (const row of rows)
      expect(row).toMatch(/^a-pool-\S*…? +serving +\S*… +0\/2 +0\/\d+ +\d+% /);
    await eventually(() => textOf(file).includes("over"));
    const [coloured, plain] = textOf(file).split("config ").slice(1);
    expect(coloured).toContain("\x1b[32mserving");
    expect(plain).not.toContain("\x1b[");
    // Elsewhere than on a terminal everything is there, and nothing else.
    const { stdout } = await supervisor.control("status");
    expect(stdout).toContain(name);
    expect(stdout).toContain(spot);
    expect(stdout).not.toContain("\x1b");
  },
);
