// The commands that only read: check with its plan against what runs, broken files, init, schema.

import { expect } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { barePool, phpPool, tcpSpot, unixSpot, workersReach } from "../helper/pool.ts";
import { BINARY } from "../helper/program.ts";
import { AS_NOBODY, behaviour, type Scene, type Settings } from "../helper/scene.ts";

behaviour(
  "check --against tells what a reload with that file would do",
  { needs: ["perl-fcgi"] },
  async (scene) => {
    const [one, two, three] = [await tcpSpot(scene), await tcpSpot(scene), await tcpSpot(scene)];
    const pools = { one: barePool(scene, one), two: barePool(scene, two) };
    const supervisor = await scene.run({ pools });
    const before = await workersReach(one, 2);
    const next = scene.config(
      {
        log: { level: "debug" },
        supervisor: { pid_file: scene.path("other.pid") },
        pools: { one: { ...pools.one, workers: 3 }, three: barePool(scene, three) },
      },
      "next.toml",
    );
    const words = ["check", "-c", next, "--against", "--socket", supervisor.socket];
    const said = await scene.fcgivisor(words);
    expect(said).toMatchObject({ code: 0 });
    expect(said.stdout).toContain(`add pool three (${three.listen})`);
    expect(said.stdout).toContain(`remove pool two (${two.listen})`);
    expect(said.stdout).toContain("workers: 2 -> 3");
    expect(said.stdout).toContain("other.pid");
    expect(said.stdout).toContain('log.level: "notice" -> "debug"');
    const json = JSON.parse((await scene.fcgivisor([...words, "--json"])).stdout);
    expect(json).toMatchObject({ ok: true, plan: { dry_run: true } });
    expect(await workersReach(one, 2)).toEqual(before);

    const nobody = await scene.fcgivisor([...words.slice(0, -1), scene.path("none.sock")]);
    expect(nobody.code).toBe(3);
    const named = await scene.fcgivisor([
      "check",
      next,
      "--against",
      "--socket",
      supervisor.socket,
    ]);
    expect(named.stdout).toBe(said.stdout);
  },
);

/** One of each kind; test/unit/config-broken.test.ts has all of them. */
const BROKEN: readonly (readonly [string, string | Uint8Array, string])[] = [
  ["a.toml", '[pools.www]\nlisten = "9000"\nworkers = "3"\n', "a.toml:3:1: "],
  ["b.toml", '[pools.www\nlisten = "9000"', "b.toml:1:11: not valid TOML"],
  ["c.toml", `[pools.www]\nuser = ${"[".repeat(50_000)}`, "c.toml:2"],
  ["d.xml", "<configuration><workers>", "d.xml:1:16: not well-formed"],
  ["e.xml", `${"<a>".repeat(50_000)}`, "e.xml:1"],
  ["f.xml", '<!DOCTYPE c [<!ENTITY a "&a;">]><c>&a;</c>', "f.xml:1"],
  ["g.conf", "[www]\nlisten = /a\npm = sttaic\n", "g.conf:3:1: pm: expected one of"],
  ["h.conf", "[www]\npm = static\nuser = ${A\n", "h.conf:3:1: user: this variable"],
  ["i.bin", Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 0]), "i.bin: this is a binary file"],
  ["j.toml", "#".repeat(17 * 1024 * 1024), "j.toml: the file is larger"],
  ["k.toml", "", "k.toml: the config file is empty"],
];

/**
 * So many times the CPU that it takes to refuse a file that is not there, most of which is the start of the
 * program. The dearest of these files take about ten times as much; one whose cost grows with the square of
 * its size would take hundreds.
 */
const MOST_CPU = 30;

/** Milliseconds of CPU for a refusal that reads nothing: the middle one of three. */
async function refusalCpu(scene: Scene): Promise<number> {
  const words = ["check", "-c", scene.path("missing.toml")];
  const all = [];
  for (let i = 0; i < 3; i++) all.push((await scene.fcgivisor(words)).cpuMs);
  return all.toSorted((a, b) => a - b)[1]!;
}

behaviour(
  "a broken config is refused at once, with its place and without a stack trace",
  {},
  async (scene) => {
    const fifo = scene.path("fifo");
    expect((await scene.command(["mkfifo", fifo])).code).toBe(0);
    const most = MOST_CPU * (await refusalCpu(scene));
    const cases: [string, string][] = [
      [scene.dir, "this is a directory"],
      [fifo, "not a regular file"],
      [scene.path("missing.toml"), "there is no such config file"],
    ];
    for (const [name, content, said] of BROKEN) {
      const file = scene.path(name);
      writeFileSync(file, content);
      cases.push([file, said]);
    }
    for (const [file, said] of cases) {
      for (const words of [
        ["check", "-c", file],
        ["convert", file],
        ["run", "-c", file],
      ]) {
        const outcome = await scene.fcgivisor(words);
        expect(outcome, file).toMatchObject({ code: 1, stdout: "" });
        expect(outcome.stderr).toContain(said);
        expect(outcome.stderr).not.toMatch(/^\s+at /m);
        expect(outcome.cpuMs, file).toBeWithin(1, most);
      }
      const json = JSON.parse((await scene.fcgivisor(["check", "--json", "-c", file])).stdout);
      expect(json).toMatchObject({ ok: false, fault: { message: expect.any(String) } });
    }
  },
);

behaviour("a config that may not be read is named", { needs: ["root"] }, async (scene) => {
  const file = scene.write("secret.toml", "[pools.www]\n", 0o600);
  const binary = scene.path("fcgivisor");
  copyFileSync(BINARY, binary);
  chmodSync(scene.dir, 0o755);
  const outcome = await scene.command([...AS_NOBODY, binary, "check", "-c", file]);
  expect(outcome).toMatchObject({ code: 1, stdout: "" });
  expect(outcome.stderr).toContain(`${file}: this user may not read the config file`);
});

behaviour("init writes a config that check takes, and schema prints JSON", {}, async (scene) => {
  const file = scene.path("first.toml");
  expect((await scene.fcgivisor(["init", file])).code).toBe(0);
  const converted = await scene.fcgivisor(["convert", file, "-q"]);
  expect(converted).toMatchObject({ code: 0, stderr: "" });
  expect(await scene.fcgivisor(["init", file])).toMatchObject({ code: 1, stdout: "" });
  const nowhere = await scene.fcgivisor(["init", scene.path("none/first.toml")]);
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain(`is there a folder ${scene.path("none")}`);
  expect(await scene.fcgivisor(["init", ""])).toMatchObject({ code: 2 });
  expect((await scene.fcgivisor(["init", "-"])).stdout).toContain("[pools.www]");
  const schema = JSON.parse((await scene.fcgivisor(["schema"])).stdout);
  expect(Object.keys(schema.properties)).toEqual([
    "supervisor",
    "admin",
    "log",
    "metrics",
    "defaults",
    "pools",
  ]);
});

behaviour(
  "check names a log and a control socket that a start would fail with",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.config({
      admin: { group: "nosuchgroup" },
      log: { file: scene.path("none/x.log") },
      pools: { www: barePool(scene, spot, { command: ["/none/program"] }) },
    });
    const checked = await scene.fcgivisor(["check", "-c", config]);
    expect(checked.code).toBe(1);
    expect(checked.stderr).toContain("3 things would keep it from starting");
    expect(checked.stderr).toContain(`mkdir -p ${scene.path("none")}`);
    expect(checked.stderr).toContain('[admin] group: there is no group "nosuchgroup"');
    expect(checked.stderr).toContain("/none/program");
  },
);

behaviour("warnings that say the same are one, with their number and lines", {}, async (scene) => {
  const pool = (name: string) => `[${name}]
listen = ${scene.path(`${name}.sock`)}
user = www-data
pm = static
pm.max_children = 1
php_admin_value[error_log] = /dev/stderr
`;
  const file = scene.write("php-fpm.conf", ["a", "b", "c"].map(pool).join(""));
  for (const words of [
    ["check", "-c", file],
    ["convert", file],
  ]) {
    const { stderr, code } = await scene.fcgivisor(words);
    expect(code).toBe(0);
    expect(stderr).toContain(
      `warning: ${file}:6,12,18: pools a, b, c: PHP cannot open error_log = /dev/stderr here`,
    );
    expect(stderr.split("PHP cannot open").length).toBe(2);
    expect(stderr).not.toContain("process_control_timeout");
  }
  expect((await scene.fcgivisor(["convert", file])).stdout).toContain('# drain_timeout is "30s"');
});

behaviour(
  "a script without its interpreter is told by the interpreter's name",
  {},
  async (scene) => {
    const spot = unixSpot(scene);
    for (const [ending, said] of [
      ["", "correct the first line"],
      ["\r", "Unix line ends"],
    ] as const) {
      const program = scene.write(
        "app.pl",
        `#!/usr/bin/no-such-perl -w${ending}\nexit 0;\n`,
        0o755,
      );
      const twice = scene.write("app2.pl", `#!/usr/bin/perl${ending}\nexit 0;\n`, 0o755);
      const config = scene.config({
        pools: { www: { ...barePool(scene, spot), command: [program] } },
      });
      for (const word of ["check", "start"]) {
        const { stderr, code } = await scene.fcgivisor([word, "-c", config]);
        expect(code).toBe(1);
        expect(stderr).toContain(`the interpreter /usr/bin/no-such-perl of the program ${program}`);
      }
      if (ending === "") continue;
      const windows = scene.config({
        pools: { www: { ...barePool(scene, spot), command: [twice] } },
      });
      expect((await scene.fcgivisor(["check", "-c", windows])).stderr).toContain(said);
    }
  },
);

behaviour(
  "check, start and reload refuse what would only hurt later",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
    const refused = async (pool: Record<string, unknown>, said: string) => {
      const settings = { pools: { www: { ...phpPool(spot), ...pool } } };
      scene.rewrite(settings);
      const check = await scene.fcgivisor(["check", "-c", supervisor.configFile]);
      const reload = await supervisor.control("reload");
      const other = { ...settings, supervisor: { state_dir: scene.path("other") } };
      const start = await scene.fcgivisor(["start", "-c", scene.config(other, "other.toml")]);
      for (const { code, stderr } of [check, reload, start]) {
        expect(stderr).toContain(said);
        expect(code).toBe(1);
      }
    };
    await refused({ php: { ini: scene.path("no.ini") } }, `there is no ${scene.path("no.ini")}`);
    await refused(
      { listen: scene.path("none/a.sock") },
      `${scene.path("none")} is not a directory`,
    );
    await refused({ listen: "/run/$NAME.sock" }, "no variable is replaced here");
  },
);

behaviour(
  "check warns of an address that another has, and of too many workers",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run({ pools: { www: barePool(scene, spot) } });
    const check = async (settings: Settings) => {
      const outcome = await scene.fcgivisor(["check", "-c", scene.config(settings, "other.toml")]);
      expect(outcome.code).toBe(0);
      return outcome.stderr;
    };
    const pools = { www: barePool(scene, spot) };
    const other = { state_dir: scene.path("other") };
    expect(await check({ supervisor: other, pools })).toMatch(
      /address is already in use by process \d+/,
    );
    // Its own it may have.
    expect((await supervisor.control("check")).stderr).not.toContain("in use");
    expect(await check({ pools: { www: barePool(scene, spot, { workers: 10_000 }) } })).toMatch(
      /10000 workers take 40000 MB at the very least/,
    );
  },
);
