// Who may do what over the control socket: a group that is let in is not root by that, a monitor may look and
// nothing else, and every word leaves a line that says who has asked.

import { expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { gate } from "../helper/gate.ts";
import { openFolder } from "../helper/planted.ts";
import { barePool, tcpSpot, workersReach } from "../helper/pool.ts";
import { descriptorsOf } from "../helper/processes.ts";
import { BINARY, type Outcome, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const ROOT = { needs: ["root", "curl"] } as const;

/** Somebody whose group is let in. */
const MEMBER = ["setpriv", "--reuid=games", "--regid=games", "--clear-groups"];
/** Somebody whose group is let in to the read-only socket. */
const MONITOR = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
const PASSWORD = "hunter2";

/** A supervisor that lets the group games in, and nogroup on a read-only socket. */
async function letIn(scene: Scene): Promise<Supervisor> {
  const spot = await tcpSpot(scene);
  const pool = barePool(scene, spot, {
    env: { DB_PASSWORD: PASSWORD },
    php: { defines: { "own.one": PASSWORD }, admin: { "own.two": PASSWORD } },
  });
  const supervisor = await scene.start({
    admin: {
      group: "games",
      mode: "0660",
      read_only_socket: scene.path("run/look.sock"),
      read_only_group: "nogroup",
    },
    pools: { www: pool },
  });
  await workersReach(spot, 2);
  return supervisor;
}

/** One request by curl as somebody; the status stands on the last line. */
function curl(scene: Scene, who: readonly string[], socket: string, ...words: string[]) {
  const format = ["-sS", "-w", "\n%{http_code}", "--unix-socket", socket];
  return scene.command([...who, "curl", ...format, ...words]);
}

function statusOf({ stdout }: Outcome): string | undefined {
  return stdout.split("\n").at(-1);
}

/** A program that leaves a trace when somebody executes it. */
function spy(scene: Scene, file: string): { program: string; trace: string } {
  const trace = scene.path(`trace-of-${file.replaceAll("/", "-")}`);
  const program = scene.write(file, `#!/bin/sh\nid >>${trace}\nexec ${BINARY} "$@"\n`, 0o755);
  return { program, trace };
}

behaviour(
  "a group on the control socket cannot have its own program executed",
  ROOT,
  async (scene) => {
    const supervisor = await letIn(scene);
    const { program, trace } = spy(scene, "spy");
    chownSync(program, 5, 60);
    const body = ["-X", "POST", "-d", JSON.stringify({ binary: program })];
    const answer = await curl(scene, MEMBER, supervisor.socket, ...body, "http://x/v1/upgrade");
    expect(statusOf(answer), answer.stdout).toBe("403");
    expect(answer.stdout).toContain("only root, or the user the supervisor runs as");
    expect(existsSync(trace)).toBe(false);
    await supervisor.logged(
      /warn +games \(uid 5, process \d+ curl\) asked for upgrade on the control socket: refused/,
    );
    // What the group was let in for, it may do still.
    const reload = await curl(scene, MEMBER, supervisor.socket, "-X", "POST", "http://x/v1/reload");
    expect(statusOf(reload)).toBe("200");
    await supervisor.logged(/games \(uid 5, process \d+ curl\) asked for reload .*: done after/);
    await supervisor.logged(
      /reload started, requested by the control socket \(games, uid 5, process/,
    );
  },
);

behaviour(
  "a group on the control socket cannot have its own config's commands executed",
  ROOT,
  async (scene) => {
    const supervisor = await letIn(scene);
    const { program, trace } = spy(scene, "spy");
    const text = `[pools.own]\nlisten = "/tmp/own.sock"\ncommand = ["${program}"]\n`;
    const config = scene.write("own.toml", text);
    const body = ["-X", "POST", "-d", JSON.stringify({ config })];
    const answer = await curl(scene, MEMBER, supervisor.socket, ...body, "http://x/v1/reload");
    expect(statusOf(answer), answer.stdout).toBe("403");
    expect(answer.stdout).toContain("may name another config");
    expect(existsSync(trace)).toBe(false);
  },
);

behaviour(
  "a program that others can change is not executed for root either",
  ROOT,
  async (scene) => {
    const supervisor = await letIn(scene);
    openFolder(scene, "open/bin");
    const strangers = spy(scene, "strangers");
    chownSync(strangers.program, 5, 60);
    const writable = spy(scene, "writable");
    chmodSync(writable.program, 0o777);
    for (const { program, trace } of [strangers, writable, spy(scene, "open/bin/spy")]) {
      const upgrade = await supervisor.control("upgrade", program);
      expect(upgrade, upgrade.stderr).toMatchObject({ code: 1 });
      expect(upgrade.stderr).toContain("others can change that file");
      expect(existsSync(trace)).toBe(false);
    }
    const sound = scene.path("sound/fcgivisor");
    mkdirSync(dirname(sound));
    copyFileSync(BINARY, sound);
    chmodSync(sound, 0o755);
    const upgrade = await supervisor.control("upgrade", sound);
    expect(upgrade, upgrade.stderr).toMatchObject({ code: 0 });
  },
);

behaviour("the values of env and of php are for root alone", ROOT, async (scene) => {
  const supervisor = await letIn(scene);
  const ask = (who: readonly string[]) => curl(scene, who, supervisor.socket, "http://x/v1/config");
  const members = await ask(MEMBER);
  expect(statusOf(members)).toBe("200");
  expect(members.stdout).toContain("DB_PASSWORD");
  expect(members.stdout).not.toContain(PASSWORD);
  expect((await ask([])).stdout).toContain(PASSWORD);
  // Nor does a report tell them, what they were and what they are now.
  const file = supervisor.configFile;
  writeFileSync(file, readFileSync(file, "utf8").replace(PASSWORD, "swordfish"));
  const plan = ["-X", "POST", "http://x/v1/reload?dry_run=true"];
  const report = await curl(scene, MEMBER, supervisor.socket, ...plan);
  expect(report.stdout).toContain('"setting":"env"');
  expect(report.stdout).not.toMatch(/hunter2|swordfish/);
  const check = [BINARY, "check", "--against", "-c", file];
  expect((await scene.command(check)).stdout).toContain("swordfish");
  const checked = await scene.command([...MEMBER, ...check]);
  expect(checked, checked.stderr).toMatchObject({ code: 0 });
  expect(checked.stdout).not.toMatch(/hunter2|swordfish/);
});

/** A supervisor with roles: games operates, nogroup reads. */
async function withRoles(scene: Scene): Promise<Supervisor> {
  const spot = await tcpSpot(scene);
  const pool = barePool(scene, spot, { env: { DB_PASSWORD: PASSWORD } });
  const supervisor = await scene.start({
    admin: { operators: "games", readers: "nogroup" },
    pools: { www: pool },
  });
  await workersReach(spot, 2);
  return supervisor;
}

behaviour("operators operate, readers look, and nobody else is let in", ROOT, async (scene) => {
  const { socket } = await withRoles(scene);
  expect(statSync(socket).mode & 0o777).toBe(0o666);
  const ask = async (who: readonly string[], ...words: string[]) =>
    statusOf(await curl(scene, who, socket, ...words));
  const word = (name: string) => ["-X", "POST", `http://x/v1/${name}`];
  const STRANGER = ["setpriv", "--reuid=mail", "--regid=mail", "--clear-groups"];
  // Being in the group besides one's own is enough.
  const LENT = ["setpriv", "--reuid=mail", "--regid=mail", "--groups=60"];
  const open = ["v1/status", "metrics", "healthz", "readyz"];
  const pages = [...open, "v1/config", "v1/logs", "v1/events", "v1/trace"];
  const seen = async (who: readonly string[]) =>
    Promise.all(pages.map((page) => ask(who, `http://x/${page}`)));
  expect(await seen(MEMBER)).toEqual(pages.map(() => "200"));
  expect(await seen(MONITOR)).toEqual([
    ...["200", "200", "200", "200", "404", "404", "404", "404"],
  ]);
  expect(await seen(STRANGER)).toEqual(pages.map(() => "403"));
  const config = await curl(scene, MEMBER, socket, "http://x/v1/config");
  expect(config.stdout).toContain("DB_PASSWORD");
  expect(config.stdout).not.toContain(PASSWORD);
  for (const name of ["reload", "restart", "logrotate"]) {
    expect(await ask(MEMBER, ...word(name)), name).toBe("200");
    expect(await ask(MONITOR, ...word(name)), name).toBe("403");
    expect(await ask(STRANGER, ...word(name)), name).toBe("403");
  }
  expect(await ask(LENT, ...word("logrotate"))).toBe("200");
  for (const name of ["stop", "quit", "upgrade"])
    for (const who of [MEMBER, MONITOR, STRANGER])
      expect(await ask(who, ...word(name)), name).toBe("403");
  const refused = await scene.command([...MEMBER, BINARY, "stop", "--socket", socket]);
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toContain("stop is not for games to use");
  expect(refused.stderr).toContain('[admin] operators = "games" lets it use every word but');
  expect(await ask([], "http://x/readyz")).toBe("200");
});

behaviour(
  "whoever may do nothing on the control socket keeps no connection",
  ROOT,
  async (scene) => {
    const { socket } = await withRoles(scene);
    // perl waits for the end that the supervisor makes; it sends nothing itself.
    const waiting = ["perl", "-MIO::Socket::UNIX", "-e"];
    const program =
      "$s = IO::Socket::UNIX->new(Peer => shift) or exit 9; sysread $s, $b, 1; print 'over'";
    const who = ["setpriv", "--reuid=mail", "--regid=mail", "--clear-groups"];
    const outcome = await scene.command([...who, ...waiting, program, socket]);
    expect(outcome).toMatchObject({ code: 0, stdout: "over" });
  },
);

behaviour("the read-only socket shows how it goes, and does nothing", ROOT, async (scene) => {
  const supervisor = await letIn(scene);
  const socket = scene.path("run/look.sock");
  expect(statSync(socket)).toMatchObject({ uid: 0, gid: 65534 });
  const ask = (...words: string[]) => curl(scene, MONITOR, socket, ...words);
  for (const page of ["v1/status", "v1/supervisor", "metrics", "healthz", "readyz"])
    expect(statusOf(await ask(`http://x/${page}`)), page).toBe("200");
  const config = await ask("http://x/v1/config");
  expect(statusOf(config)).toBe("404");
  expect(config.stdout).not.toContain(PASSWORD);
  for (const word of ["stop", "reload", "upgrade"])
    expect(statusOf(await ask("-X", "POST", `http://x/v1/${word}`)), word).toBe("404");
  // The other socket is not for the monitor.
  const other = await curl(scene, MONITOR, supervisor.socket, "http://x/healthz");
  expect(other.code).not.toBe(0);
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  expect(existsSync(socket)).toBe(false);
});

/** Opens so many connections to a socket, says so, and keeps them until a file is gone. */
const KEEP = `use Socket;
my ($path, $count, $gate) = @ARGV;
my @kept;
for (1 .. $count) {
  socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
  push @kept, $socket if connect($socket, sockaddr_un($path));
}
open(my $at, ">", "$gate.new"); print $at "$$\\n"; close $at; rename("$gate.new", "$gate.at");
select(undef, undef, undef, 0.05) while -e $gate;`;

behaviour(
  "whoever may look holds no more than a few connections, and keeps nobody else out",
  ROOT,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const admin = { readers: "nogroup" };
    const supervisor = await scene.start({ admin, pools: { www: barePool(scene, spot) } });
    const before = descriptorsOf(supervisor.pid).size;
    const { path, reached, open } = gate(scene);
    scene.atEnd(open);
    scene.spawn([...MONITOR, "perl", "-e", KEEP, supervisor.socket, "300", path]);
    await reached();
    // Those that were before it have been looked at when it is answered.
    expect(await supervisor.control("status")).toMatchObject({ code: 0 });
    expect(descriptorsOf(supervisor.pid).size - before).toBeLessThan(100);
    open();
    const again = () => curl(scene, MONITOR, supervisor.socket, "http://x/healthz");
    await eventually(async () => statusOf(await again()) === "200");
  },
);
