// A worker that may write where files of the supervisor are puts something else in their place. Root must
// neither follow it nor change, remove or believe what it finds there.

import { expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { crash } from "../helper/crash.ts";
import { gate } from "../helper/gate.ts";
import { gatedPhpPool } from "../helper/gated-php.ts";
import { PHP_CGI } from "../helper/php.ts";
import { bodyOf, phpPool, type Spot, unixSpot } from "../helper/pool.ts";
import { alive } from "../helper/processes.ts";
import { openFolder } from "../helper/planted.ts";
import { behaviour, type Scene } from "../helper/scene.ts";

const ROOT_PHP = { needs: ["root", "php-cgi"] } as const;

/** A worker replaces the file of its socket by a link to a file of root's, whose path this returns. */
async function swapped(scene: Scene, spot: Spot): Promise<string> {
  const secret = scene.write("secret", "of root's", 0o600);
  const script = scene.fixture("php/swap.php");
  const query = encodeURIComponent(`${spot.listen} ${secret}`);
  expect(await bodyOf(spot, { script, query })).toBe("swapped");
  scene.atEnd(() => rmSync(`${spot.listen}.away`));
  return secret;
}

function ownerAndMode(file: string) {
  const { uid, gid, mode } = statSync(file);
  return { uid, gid, mode: mode & 0o7777 };
}

const ROOTS = { uid: 0, gid: 0, mode: 0o600 };

behaviour(
  "a reload gives no file of root's away through a link in place of the socket",
  ROOT_PHP,
  async (scene) => {
    openFolder(scene, "open");
    const spot = unixSpot(scene, "open/www.sock");
    const settings = (mode: string) => ({
      pools: { www: phpPool(spot, { listen: { address: spot.listen, owner: "www-data", mode } }) },
    });
    const supervisor = await scene.start(settings("0660"));
    expect(ownerAndMode(spot.listen)).toMatchObject({ uid: 33, mode: 0o660 });
    const secret = await swapped(scene, spot);
    scene.rewrite(settings("0666"));
    const reload = await supervisor.control("reload");
    expect(reload, reload.stderr).toMatchObject({ code: 1 });
    expect(reload.stderr).toContain(`${spot.listen}: the socket's file was removed or replaced`);
    expect(ownerAndMode(secret)).toEqual(ROOTS);
    // The service is as it was, and is still to be had by who knows where.
    expect(ownerAndMode(`${spot.listen}.away`)).toMatchObject({ uid: 33, mode: 0o660 });
    const moved = { where: { path: `${spot.listen}.away` }, listen: spot.listen };
    expect(await bodyOf(moved, { script: scene.fixture("php/hello.php") })).toContain("hello");
    // Nor is what is there removed.
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
    expect(lstatSync(spot.listen).isSymbolicLink()).toBe(true);
    expect(ownerAndMode(secret)).toEqual(ROOTS);
  },
);

behaviour("an upgrade neither, and it goes on", ROOT_PHP, async (scene) => {
  openFolder(scene, "open");
  const spot = unixSpot(scene, "open/www.sock");
  const supervisor = await scene.start({ pools: { www: phpPool(spot) } });
  const secret = await swapped(scene, spot);
  const upgrade = await supervisor.control("upgrade");
  expect(upgrade, upgrade.stderr).toMatchObject({ code: 0 });
  expect(ownerAndMode(secret)).toEqual(ROOTS);
  await supervisor.logged(`${spot.listen}: the socket's file was removed or replaced`);
});

behaviour(
  "check names the folders that others can write in",
  { needs: ["root"] },
  async (scene) => {
    const open = openFolder(scene, "open");
    mkdirSync(`${open}/below`);
    const pool = (listen: unknown) => ({ listen, command: [scene.fixture("fcgi/bare.pl")] });
    const check = async (listen: unknown, stateDir: string) => {
      const pools = { www: pool(listen) };
      const supervisor = { state_dir: stateDir, pid_file: scene.path("x.pid") };
      return scene.fcgivisor(["check", "-c", scene.config({ supervisor, pools })]);
    };
    const closed = await check(scene.path("www.sock"), scene.path("run"));
    expect(closed).toMatchObject({ code: 0, stderr: "" });
    const exposed = await check(`${open}/below/www.sock`, `${open}/run`);
    expect(exposed).toMatchObject({ code: 0 });
    for (const of of [`state_dir: ${open}/run`, `pool www, listen: ${open}/below`])
      expect(exposed.stderr).toContain(`warning: ${of}: others can replace what is in this folder`);
    expect(exposed.stderr).toContain(`${open}: everybody may write in it`);

    // In a sticky folder a file is its owner's to replace, and nobody else's.
    chmodSync(open, 0o1777);
    expect(await check(`${open}/www.sock`, scene.path("run"))).toMatchObject({ stderr: "" });
    const given = await check(
      { address: `${open}/www.sock`, owner: "www-data" },
      scene.path("run"),
    );
    expect(given.stderr).toContain(`pool www, listen: ${open}: others can replace`);
  },
);

behaviour(
  "the private socket of a health check cannot be taken or reached by others",
  ROOT_PHP,
  async (scene) => {
    const spot = unixSpot(scene);
    const deep = scene.path("run", ...new Array<string>(12).fill("a-deep-folder"));
    const temporary = openFolder(scene, "tmp");
    const settings = {
      supervisor: { state_dir: deep },
      admin: { socket: scene.path("run/admin.sock") },
      pools: { www: gatedPhpPool(scene, PHP_CGI, spot, 2) },
    };
    const supervisor = await scene.start(settings, { env: { TMPDIR: temporary } });
    // Where a name could be guessed, others are there first.
    const guesses = [1, 2, 3, 4].map((n) => `fcgivisor-canary-${supervisor.pid}-${n}.sock`);
    for (const guess of guesses) chownSync(scene.write(`tmp/${guess}`, ""), 33, 33);
    const { reached, open } = gate(scene, "health");
    const reload = supervisor.control("reload");
    const canary = await Promise.race([reached(), reload]);
    if (typeof canary !== "number") throw new Error(`no canary: ${canary.stderr}`);
    const folders = () => readdirSync(temporary).filter((name) => !guesses.includes(name));
    const [folder = "none", ...more] = folders();
    expect(more).toEqual([]);
    expect(ownerAndMode(join(temporary, folder))).toEqual({ uid: 0, gid: 0, mode: 0o700 });
    open();
    expect(await reload).toMatchObject({ code: 0 });
    expect(folders()).toEqual([]);
  },
);

behaviour(
  "the folder of a canary whose supervisor was killed goes with the next start, and no other's",
  ROOT_PHP,
  async (scene) => {
    const spot = unixSpot(scene);
    const deep = scene.path("run", ...new Array<string>(12).fill("a-deep-folder"));
    const temporary = openFolder(scene, "tmp");
    const env = { TMPDIR: temporary };
    const settings = {
      supervisor: { state_dir: deep },
      admin: { socket: scene.path("run/admin.sock") },
      pools: { www: gatedPhpPool(scene, PHP_CGI, spot, 2) },
    };
    const first = await scene.start(settings, { env });
    const { reached } = gate(scene, "health");
    const reload = first.control("reload");
    const canary = await reached();
    await crash(first);
    await reload;
    expect(readdirSync(temporary)).toEqual([
      expect.stringMatching(new RegExp(`^fcgivisor-canary-${first.pid}-`)),
    ]);
    gate(scene, "health").open();

    // Of somebody who is dead: another user's folder, a link to one of root's, one that holds more than a socket, and a
    // name that is not quite it. Of somebody who lives: one of root's.
    const folder = (name: string, mode = 0o700) => {
      mkdirSync(join(temporary, name));
      chmodSync(join(temporary, name), mode);
      return join(temporary, name);
    };
    const dead = `fcgivisor-canary-${first.pid}-`;
    chownSync(folder(`${dead}other1`), 33, 33);
    folder(`${dead}open00`, 0o777);
    symlinkSync(scene.path("secret"), join(temporary, `${dead}link00`));
    mkdirSync(scene.path("secret"));
    scene.write("secret/canary.sock", "of root's");
    scene.write(join(folder(`${dead}full00`), "canary.sock"), "no socket");
    folder(`${dead}toolong`);
    folder(`fcgivisor-canary-${process.pid}-living`);
    const kept = ["other1", "open00", "link00", "full00", "toolong"].map((name) => dead + name);
    kept.push(`fcgivisor-canary-${process.pid}-living`);

    const again = await scene.fcgivisor(["start", "-c", first.configFile], { env });
    expect(again, again.stderr).toMatchObject({ code: 0 });
    scene.followDaemon(first.configFile);
    expect(alive(canary)).toBe(false);
    expect(readdirSync(temporary).toSorted()).toEqual(kept.toSorted());
    expect(readFileSync(scene.path("secret/canary.sock"), "utf8")).toBe("of root's");
  },
);
