// The completion of the three shells, each asked on a terminal as a person does it: with TAB.

import { expect } from "bun:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { barePool, unixSpot } from "../helper/pool.ts";
import { BINARY } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";
import { onTerminal, type Terminal } from "../helper/terminal.ts";
import { findProgram, SEARCH_PATH } from "../helper/packages.ts";

const PROMPT = "ready>";

interface Shell {
  readonly name: "bash" | "zsh" | "fish";
  readonly command: readonly string[];
  /** Makes it complete, and show the prompt. */
  readonly begin: string;
}

const SHELLS: readonly Shell[] = [
  {
    name: "bash",
    command: ["bash", "--norc", "-i"],
    begin: `bind 'set enable-bracketed-paste off'; PS1='${PROMPT} '; source <(fcgivisor completion bash)\n`,
  },
  {
    name: "zsh",
    command: ["zsh", "-f", "-i"],
    begin: `PS1='${PROMPT} '; unsetopt prompt_sp; autoload -U compinit; compinit -D -u; source <(fcgivisor completion zsh)\n`,
  },
  {
    name: "fish",
    command: ["fish", "-i"],
    begin: `function fish_prompt; echo -n '${PROMPT} '; end; fcgivisor completion fish | source\n`,
  },
];

/** The program under its own name, where the shell finds it. */
function path(): string {
  return `${dirname(BINARY)}:${SEARCH_PATH}`;
}

async function begin(scene: Scene, { command, begin }: Shell): Promise<Terminal> {
  const terminal = onTerminal(scene, command, { PATH: path(), HOME: scene.dir });
  terminal.type(begin);
  await terminal.shows(new RegExp(`${PROMPT}\\s*$`));
  return terminal;
}

for (const shell of SHELLS) {
  behaviour(
    `${shell.name} completes commands, options, pools and files`,
    { needs: shell.name === "bash" ? [] : [shell.name] },
    async (scene) => {
      const supervisor = await scene.start({
        pools: {
          reports: barePool(scene, unixSpot(scene, "r.sock")),
          www: barePool(scene, unixSpot(scene, "w.sock")),
        },
      });
      scene.write("other.toml", "");
      const terminal = await begin(scene, shell);
      const at = `--socket ${supervisor.socket}`;
      for (const [typed, completed] of [
        ["fcgivisor relo", "fcgivisor reload "],
        ["fcgivisor --json stat", "fcgivisor --json status "],
        ["fcgivisor reload --dry", "fcgivisor reload --dry-run "],
        ["fcgivisor help signa", "fcgivisor help signals "],
        ["fcgivisor service nginx --po", "fcgivisor service nginx --pool "],
        [`fcgivisor reload ${at} rep`, `fcgivisor reload ${at} reports `],
        [`fcgivisor reload ${at} reports w`, `fcgivisor reload ${at} reports www `],
        [`fcgivisor request / ${at} --pool=re`, `fcgivisor request / ${at} --pool=reports`],
        ["fcgivisor check -c othe", "fcgivisor check -c other.toml "],
        ["fcgivisor check --config=othe", "fcgivisor check --config=other.toml "],
        [
          "fcgivisor run --listen 127.0.0.1:9000 --quie",
          "fcgivisor run --listen 127.0.0.1:9000 --quiet ",
        ],
      ] as const) {
        // Ctrl-U takes the line before away.
        const before = terminal.screen().length;
        terminal.type(`\x15${typed}\t`);
        const shown = () => terminal.screen().slice(before).includes(completed);
        await eventually(shown, { what: `${typed} becomes ${completed}` });
      }
      expect((await supervisor.control("stop")).code).toBe(0);
    },
  );
}

behaviour("pools come from the config where no supervisor runs", {}, async (scene) => {
  const pool = barePool(scene, unixSpot(scene));
  const config = scene.config({ pools: { www: pool, wiki: { ...pool, listen: scene.path("x") } } });
  const { stdout, code } = await scene.fcgivisor(["complete", "--", "reload", "-c", config, "w"]);
  expect([stdout, code]).toEqual(["words\nwww\t\nwiki\t\n", 0]);
});

behaviour("whatever is in the way, TAB says nothing and does not wait", {}, async (scene) => {
  const mute = Bun.listen({ unix: scene.path("mute.sock"), socket: { data() {} } });
  scene.atEnd(() => mute.stop(true));
  const broken = scene.write("broken.toml", "[pools");
  for (const words of [
    ["reload", "--socket", scene.path("mute.sock"), ""],
    ["reload", "--socket", scene.path("nobody.sock"), "-c", broken, ""],
    ["nonsense", ""],
    ["service", "nginx", "more", ""],
    ["--pool", ""],
    [],
  ]) {
    const said = await scene.fcgivisor(["complete", "--", ...words]);
    expect([words, said.code, said.stderr]).toEqual([words, 0, ""]);
    expect(said.stdout).toStartWith("words\n");
  }
});

behaviour("a false supervisor gets nothing into a command line", {}, async (scene) => {
  const socket = scene.path("false.sock");
  const pools = ["www", "$(touch x)", "a b", "`id`", "-rf", "x\ny"].map((name) => ({
    name,
    listen: "127.0.0.1:9",
  }));
  const server = Bun.serve({ unix: socket, fetch: () => Response.json({ pools }) });
  scene.atEnd(() => server.stop(true));
  const { stdout } = await scene.fcgivisor(["complete", "--", "reload", "--socket", socket, ""]);
  expect(stdout).toBe("words\nwww\t\n");
});

behaviour(
  "the scripts are what their shells take",
  { needs: ["shellcheck", "zsh", "fish"] },
  async (scene) => {
    for (const [name, ...check] of [
      ["bash", findProgram("shellcheck")!, "-s", "bash"],
      ["zsh", "zsh", "-n"],
      ["fish", "fish", "-n"],
    ] as const) {
      const { stdout } = await scene.fcgivisor(["completion", name]);
      const script = scene.write(name, stdout);
      const { code, stdout: out, stderr } = await scene.command([...check, script]);
      expect([name, code, out, stderr]).toEqual([name, 0, "", ""]);
    }
  },
);

behaviour("installed for everybody, zsh finds it by itself", { needs: ["zsh"] }, async (scene) => {
  mkdirSync(scene.path("functions"));
  scene.write("functions/_fcgivisor", (await scene.fcgivisor(["completion", "zsh"])).stdout);
  copyFileSync(BINARY, scene.path("fcgivisor"));
  const terminal = onTerminal(scene, ["zsh", "-f", "-i"], { PATH: path(), HOME: scene.dir });
  terminal.type(
    `PS1='${PROMPT} '; unsetopt prompt_sp; fpath=(${scene.path("functions")} $fpath); autoload -U compinit; compinit -D -u\n`,
  );
  await terminal.shows(new RegExp(`${PROMPT}\\s*$`));
  terminal.type("fcgivisor relo\t");
  await terminal.shows("fcgivisor reload ");
});
