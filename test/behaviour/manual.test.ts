// The manual as its readers have it: with man, on a terminal, in a pipe.

import { expect } from "bun:test";
import { findProgram } from "../helper/packages.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour } from "../helper/scene.ts";
import { onTerminal } from "../helper/terminal.ts";
import { eventually } from "../helper/wait.ts";

behaviour(
  "mandoc and man find nothing wrong with the man page, and show it",
  { needs: ["mandoc", "man"] },
  async (scene) => {
    const { stdout, stderr, code } = await scene.fcgivisor(["man"]);
    expect([stderr, code]).toEqual(["", 0]);
    const page = scene.write("fcgivisor.8", stdout);
    const lint = await scene.command([findProgram("mandoc")!, "-T", "lint", page]);
    expect([lint.stdout, lint.stderr, lint.code]).toEqual(["", "", 0]);
    const shown = await scene.command([findProgram("man")!, "--warnings", "-l", page], {
      env: { MANWIDTH: "200", LC_ALL: "C.UTF-8" },
    });
    expect([shown.stderr, shown.code]).toEqual(["", 0]);
    expect(shown.stdout).toMatch(/^ +fcgivisor reload \[POOL\.\.\.\]$/m);
    expect(shown.stdout).toMatch(/^ +--dry-run$/m);
    expect(shown.stdout).toMatch(/^ +drain_timeout$/m);
    expect(shown.stdout).not.toMatch(/\\f|`/);
    const wrong = scene.write("wrong.8", stdout.replace(/^\.SH NAME$/m, ".SX NAME"));
    expect((await scene.command([findProgram("mandoc")!, "-T", "lint", wrong])).code).not.toBe(0);
  },
);

behaviour(
  "help comes through less on a terminal, and is left with q",
  { needs: ["less"] },
  async (scene) => {
    const terminal = onTerminal(scene, [BINARY, "help", "reload"]);
    await terminal.shows("How to trigger it");
    // It waits at the end of the first screen.
    expect(terminal.screen()).not.toContain("## What can go wrong");
    // Ctrl-C is the pager's.
    terminal.type("\x03");
    let hasExited = false;
    void terminal.exited.then(() => (hasExited = true));
    // What is typed while less looks at the interrupt is dropped.
    const left = () => (terminal.type("q"), hasExited);
    await eventually(left, { what: "less is left" });
    expect(await terminal.exited).toBe(0);
  },
);

behaviour(
  "$PAGER is asked instead, and what it is not able to show is printed",
  {},
  async (scene) => {
    const to = scene.path("paged");
    const own = onTerminal(scene, [BINARY, "help", "signals"], { PAGER: `tee ${to} | wc -l` });
    expect(await own.exited).toBe(0);
    expect(textOf(to)).toBe((await scene.fcgivisor(["help", "signals"])).stdout);
    expect(own.screen()).toMatch(/^\d+\s*$/);
    for (const PAGER of ["", "cat", "/no/such/pager"]) {
      const none = onTerminal(scene, [BINARY, "help", "signals"], { PAGER });
      expect(await none.exited).toBe(0);
      await none.shows("To the supervisor");
    }
  },
);

behaviour("into a pipe it goes without one", {}, async (scene) => {
  const { stdout, code } = await scene.fcgivisor(["help", "reload"], { env: { PAGER: "false" } });
  expect(code).toBe(0);
  expect(stdout).toStartWith("# ");
});
