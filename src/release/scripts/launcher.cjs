#!/usr/bin/env node
// Finds the program of this machine among the optional packages, and becomes it where Node can (execve), so that a
// supervisor's process is the supervisor. Else it stays beside it: signals are passed on, and so is the exit code.

"use strict";

const { existsSync } = require("node:fs");
const { constants } = require("node:os");

function isMusl() {
  return process.report?.getReport().header.glibcVersionRuntime === undefined;
}

function program() {
  const kinds = isMusl() ? ["-musl", ""] : ["", "-musl"];
  for (const kind of kinds) {
    const name = `@fcgivisor/linux-${process.arch}${kind}`;
    try {
      const path = require.resolve(`${name}/bin/fcgivisor`);
      if (existsSync(path)) return path;
    } catch {
      // Not the one that npm has chosen for this machine.
    }
  }
  process.stderr.write(
    `fcgivisor: there is no program for ${process.platform}-${process.arch} here\n` +
      `  hint: it is in an optional package: install without --omit=optional (--no-optional), on Linux x64 or arm64\n`,
  );
  process.exit(1);
}

const path = program();
const words = process.argv.slice(2);

if (typeof process.execve === "function") {
  process.execve(path, [path, ...words], process.env);
} else {
  const child = require("node:child_process").spawn(path, words, { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
    process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`fcgivisor: ${path} cannot be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
