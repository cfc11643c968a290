// What loadConfig promises beyond single settings: which file, which format, which folder, which
// user; files that are none; includes; and that a config cannot be changed.

import { describe, expect, test } from "bun:test";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { withTempDir, write } from "../config-cases/temp-dir.ts";
import {
  configFromCommandLine,
  configPath,
  defaultStateDir,
  loadConfig,
} from "../../src/config/load.ts";
import { Fault, faultLines } from "../../src/fault.ts";

const POOL = '[pools.www]\nlisten = "9000"\ncommand = ["a"]\n';

interface More {
  readonly uid?: number | null;
  readonly prefix?: string;
  readonly php?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function load(file: string, more: More = {}) {
  return loadConfig({ file, env: {}, uid: null, stateDirDefault: "/run/fcgivisor", ...more });
}

async function complaint(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Fault) return faultLines(error).join("\n");
    throw error;
  }
  throw new Error("nothing was wrong");
}

describe("what is no config file", () => {
  test("a folder, a missing file, an empty file, a binary file", () =>
    withTempDir(async (dir) => {
      expect(await complaint(load(dir))).toContain("this is a directory");
      expect(await complaint(load(join(dir, "none")))).toContain("no such config file");
      expect(await complaint(load(await write(dir, "a", "")))).toContain("is empty");
      const binary = await write(dir, "b", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0]));
      expect(await complaint(load(binary))).toContain("binary file");
    }));

  test("a FIFO does not block", () =>
    withTempDir(async (dir) => {
      const fifo = join(dir, "fifo");
      expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
      expect(await complaint(load(fifo))).toContain("not a regular file");
    }));

  test("a device, a loop of links, a huge file", () =>
    withTempDir(async (dir) => {
      expect(await complaint(load("/dev/zero"))).toContain("not a regular file");
      await symlink("loop", join(dir, "loop"));
      expect(await complaint(load(join(dir, "loop")))).toContain("leads in a circle");
      const huge = await write(dir, "huge", "#".repeat(17 * 1024 * 1024));
      expect(await complaint(load(huge))).toContain("larger than 4 MB");
    }));

  test.skipIf(process.getuid?.() === 0)("a file that may not be read (not as root)", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "a.toml", POOL);
      await chmod(file, 0);
      expect(await complaint(load(file))).toContain("may not read");
    }),
  );

  test("bytes that are not UTF-8 are named by their line", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "a.toml", Buffer.from("# ok\n# caf\xe9\n", "latin1"));
      expect(await complaint(load(file))).toContain(`${file}:2: this line is not UTF-8`);
    }));
});

describe("the format is told from the content", () => {
  const XML = `<configuration><workers><section name="pool">
<value name="listen_address">9000</value>
<value name="pm"><value name="max_children">2</value></value>
</section></workers></configuration>`;

  test("XML with a wrong name, with a byte order mark, in UTF-16, after blanks", () =>
    withTempDir(async (dir) => {
      const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(XML, "utf16le")]);
      for (const [i, content] of [XML, `\ufeff${XML}`, utf16, `\n  ${XML}`].entries()) {
        const { config } = await load(await write(dir, `${i}.toml`, content));
        expect(config.source.format).toBe("legacy-xml");
        expect(config.pools[0]?.workers).toBe(2);
      }
    }));

  test("XML in a declared encoding", () =>
    withTempDir(async (dir) => {
      const declared = `<?xml version="1.0" encoding="windows-1251"?>`;
      const named = XML.replace(
        "<value",
        `<!-- \xcf\xf0 --><value name="chdir">/\xcf</value><value`,
      );
      const file = await write(dir, "a", Buffer.from(declared + named, "latin1"));
      expect((await load(file)).config.pools[0]?.chdir).toBe("/П");
    }));

  test("XML in GBK, and in UTF-16 without a byte order mark", () =>
    withTempDir(async (dir) => {
      const named = XML.replace("<value", `<value name="chdir">/\xd6\xd0</value><value`);
      const gbk = `<?xml version="1.0" encoding="GBK"?>${named}`;
      const file = await write(dir, "a", Buffer.from(gbk, "latin1"));
      expect((await load(file)).config.pools[0]?.chdir).toBe("/中");
      const utf16 = Buffer.from(XML.replace("default", "中"), "utf16le");
      expect((await load(await write(dir, "b", utf16))).config.pools).toHaveLength(1);
    }));

  test("bytes in another encoding than the declared one are named by line and byte", () =>
    withTempDir(async (dir) => {
      const said = async (text: string) =>
        complaint(load(await write(dir, "a.xml", Buffer.from(text, "latin1"))));
      expect(await said(XML.replace("<value", "\n<!-- gr\xfc\xdfe -->\n<value"))).toContain(
        "a.xml:3: byte 0xFC (byte 8 of this line) is not UTF-8",
      );
      const declared = `<?xml version="1.0" encoding="GBK"?>\n<!-- \xff -->${XML}`;
      expect(await said(declared)).toContain("a.xml:2: byte 0xFF (byte 6 of this line) is not GBK");
      expect(await said(`<?xml version="1.0" encoding="klingon"?>${XML}`)).toContain(
        'the encoding "klingon" is not known',
      );
    }));

  test("TOML with a byte order mark and Windows line ends", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "php-fpm.conf", `\ufeff${POOL.replaceAll("\n", "\r\n")}`);
      const { config, origins } = await load(file);
      expect(config.source.format).toBe("toml");
      expect(origins.get("pools.www.command")).toBe(`${file}:3`);
    }));
});

describe("include", () => {
  test("reads matching files in sorted order, each once", () =>
    withTempDir(async (dir) => {
      const pool = (name: string, port: number) =>
        `[pools.${name}]\nlisten = "${port}"\ncommand = ["./run"]\n`;
      await write(dir, "pools.d/b.toml", pool("b", 2));
      await write(dir, "pools.d/a.toml", pool("a", 1));
      await write(dir, "pools.d/c.conf", "not read");
      const main = await write(
        dir,
        "main.toml",
        `[supervisor]\ninclude = ["pools.d/*.toml", "pools.d/a.toml", "empty.d/*.toml"]\n${POOL}`,
      );
      const { config, origins } = await load(main);
      expect(config.pools.map(({ name }) => name)).toEqual(["www", "a", "b"]);
      const names = ["main.toml", "pools.d/a.toml", "pools.d/b.toml"];
      expect(config.source.files).toEqual(names.map((name) => join(dir, name)));
      expect(config.pools[1]?.command).toEqual([join(dir, "pools.d/run")]);
      expect(origins.get("pools.b.listen.address")).toBe(`${dir}/pools.d/b.toml:2`);
    }));

  test("a link to a file is a file, one to nowhere is an error", () =>
    withTempDir(async (dir) => {
      await write(dir, "available/a.toml", POOL.replace("www", "a").replace("9000", "9001"));
      await mkdir(join(dir, "enabled"));
      await symlink("../available/a.toml", join(dir, "enabled/a.toml"));
      const main = await write(dir, "main.toml", `${POOL}[supervisor]\ninclude = ["enabled/*"]\n`);
      expect((await load(main)).config.pools.map(({ name }) => name)).toEqual(["www", "a"]);
      await symlink("../available/gone.toml", join(dir, "enabled/gone.toml"));
      expect(await complaint(load(main))).toContain("enabled/gone.toml: there is no such config");
    }));

  test("signs in the name of the config's own folder are no pattern", () =>
    withTempDir(async (dir) => {
      const pool = POOL.replace("www", "a").replace("9000", "9001");
      await write(dir, "[1]{x}*/pools.d/a.toml", pool);
      const include = '[supervisor]\ninclude = ["pools.d/*.toml"]\n';
      const main = await write(dir, "[1]{x}*/main.toml", `${POOL}${include}`);
      expect((await load(main)).config.pools.map(({ name }) => name)).toEqual(["www", "a"]);
    }));

  test("a pattern that nothing matches is told", () =>
    withTempDir(async (dir) => {
      const include = '[supervisor]\ninclude = ["nosuch.d/*.toml", "/nonexistent/*.toml"]\n';
      const { warnings } = await load(await write(dir, "main.toml", `${POOL}${include}`));
      expect(warnings.map(({ message, hint }) => `${message}; ${hint}`)).toEqual([
        `include: no file matches nosuch.d/*.toml; it is relative to ${dir}`,
        "include: no file matches /nonexistent/*.toml; correct it, or remove it",
      ]);
    }));

  test("a pool twice names both places; only pools may be included; all is said at once", () =>
    withTempDir(async (dir) => {
      await write(dir, "pools.d/a.toml", `[log]\nlevel = "debug"\n${POOL}`);
      await write(dir, "pools.d/b.toml", "x = [");
      const main = await write(
        dir,
        "main.toml",
        `${POOL}worker = 3\n[supervisor]\ninclude = ["pools.d/*.toml"]\n`,
      );
      const said = await complaint(load(main));
      expect(said).toContain("4 problems in");
      expect(said).toContain(`pools.d/a.toml:3:8: pool "www" is defined twice: also in ${main}:1`);
      expect(said).toContain('"log.level" cannot stand in an included file');
      expect(said).toContain("pools.d/b.toml:1");
      expect(said).toContain('unknown setting "pools.www.worker"');
    }));
});

describe("who starts it", () => {
  test("root needs a user for the workers, or says that it needs none", () =>
    withTempDir(async (dir) => {
      const file = (user: string) => write(dir, "a.toml", `${POOL}${user}`);
      for (const user of ["", 'user = "root"', 'user = "0"']) {
        const said = await complaint(load(await file(user), { uid: 0 }));
        expect(said).toContain("workers would run as root");
      }
      await load(await file('user = "www-data"'), { uid: 0 });
      await load(await file("[supervisor]\nallow_root = true"), { uid: 0 });
    }));

  test("anybody else is told that user and group are ignored", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "a.toml", `${POOL}user = "x"\ngroup = "y"\n`);
      const { warnings } = await load(file, { uid: 1000 });
      expect(warnings.map(({ message }) => message)).toEqual([
        'pool www: "user" is ignored, because only root can change it',
        'pool www: "group" is ignored, because only root can change it',
      ]);
    }));

  test("anybody else is told that mounts of a pool's own are ignored", () =>
    withTempDir(async (dir) => {
      const own = "private_tmp = true\nread_only = true\n";
      const { warnings } = await load(await write(dir, "a.toml", POOL + own), { uid: 1000 });
      expect(warnings.map(({ message }) => message)).toEqual([
        'pool www: "private_tmp" is ignored, because only root can mount',
        'pool www: "read_only" is ignored, because only root can mount',
      ]);
    }));

  test("the shipped legacy file does not start as root", async () => {
    const file = join(import.meta.dir, "../config-cases/official-0.5.10-template.xml");
    expect(await complaint(load(file, { uid: 0 }))).toContain("workers would run as root");
  });
});

describe("what this machine must have", () => {
  const wrong = `user = "nosuchuser"
group = "nosuchgroup"
chdir = "/nonexistent/dir"
health = { script = "/nonexistent/ping.php" }
`;

  test("users, groups, folders and the health script are named with their lines", () =>
    withTempDir(async (dir) => {
      const said = await complaint(load(await write(dir, "a.toml", `${POOL}${wrong}`), { uid: 0 }));
      expect(said).toContain('a.toml:4:1: pool www: there is no user "nosuchuser" on this machine');
      expect(said).toContain("a.toml:5:1: pool www: there is no group");
      expect(said).toContain("a.toml:6:1: pool www: chdir: /nonexistent/dir is not a directory");
      expect(said).toContain("a.toml:7:12: pool www: health.script: there is no file");
      expect(said).toContain("4 problems");
    }));

  test("a socket's owner and group, too", () =>
    withTempDir(async (dir) => {
      const listen =
        'listen = { address = "/s.sock", owner = "nosuchuser", group = "nosuchgroup" }';
      const text = `[pools.www]\n${listen}\ncommand = ["a"]\nuser = "www-data"\n`;
      const said = await complaint(load(await write(dir, "a.toml", text), { uid: 0 }));
      expect(said.match(/on this machine/g)).toHaveLength(2);
    }));

  test("one socket under two paths", () =>
    withTempDir(async (dir) => {
      await mkdir(join(dir, "run"));
      await symlink("run", join(dir, "link"));
      const pool = (name: string, path: string) =>
        `[pools.${name}]\nlisten = "${path}"\ncommand = ["a"]\n`;
      const text = pool("a", "run/x.sock") + pool("b", "link/x.sock") + pool("c", "link/y.sock");
      const file = await write(dir, "a.toml", text);
      const said = await complaint(load(file, { uid: 1000 }));
      expect(said).toContain("1 problem in");
      expect(said).toContain(
        `a.toml:5:1: pool b: ${dir}/link/x.sock is the same socket as pool a's ${dir}/run/x.sock (${file}:2)`,
      );
      expect((await load(file)).config.pools).toHaveLength(3);
    }));

  test("nobody asks for it when nobody is going to run it", () =>
    withTempDir(async (dir) => {
      await load(await write(dir, "a.toml", `${POOL}${wrong}`));
    }));
});

describe("PREFIX of a legacy file", () => {
  const XML = `<configuration><section name="global_options">
<value name="pid_file">logs/php-fpm.pid</value></section><workers><section name="pool">
<value name="listen_address">run/a.sock</value><value name="pm"><value name="max_children">1</value></value>
</section></workers></configuration>`;

  test("given, or beside etc, or the file's own folder", () =>
    withTempDir(async (dir) => {
      const inEtc = await write(dir, "etc/php-fpm.conf", XML);
      const alone = await write(dir, "other/php-fpm.conf", XML);
      const pidFile = async (file: string, prefix?: string) =>
        (await load(file, prefix === undefined ? {} : { prefix })).config.supervisor.pidFile;
      expect(await pidFile(inEtc, "/opt/php")).toBe("/opt/php/logs/php-fpm.pid");
      expect(await pidFile(inEtc)).toBe(`${dir}/logs/php-fpm.pid`);
      expect(await pidFile(alone)).toBe(`${dir}/other/logs/php-fpm.pid`);
    }));

  test("its own php-cgi is the program, where there is one", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "etc/php-fpm.conf", XML);
      expect((await load(file)).config.pools[0]?.command).toEqual(["php-cgi"]);
      const own = await write(dir, "bin/php-cgi", "");
      expect((await load(file)).config.pools[0]?.command).toEqual([own]);
    }));
});

test("a legacy file runs on php-cgi, and on php-fpm where that is all there is, or is asked for", () =>
  withTempDir(async (dir) => {
    const file = await write(
      dir,
      "php-fpm.conf",
      `<configuration><workers><section name="pool"><value name="listen_address">9000</value>
<value name="pm"><value name="max_children">2</value></value></section></workers></configuration>`,
    );
    await mkdir(join(dir, "bin"));
    await symlink("/bin/true", join(dir, "bin/php-fpm"));
    const run = async (php?: string) => {
      const env = { PATH: join(dir, "bin") };
      const { config } = await load(file, { env, ...(php === undefined ? {} : { php }) });
      return [config.pools[0]!.command[0], config.pools[0]!.runtime];
    };
    expect(await run()).toEqual([join(dir, "bin/php-fpm"), "php-fpm"]);
    await symlink("/bin/true", join(dir, "bin/php-cgi"));
    expect(await run()).toEqual([join(dir, "bin/php-cgi"), "php-cgi"]);
    expect(await run("php-fpm")).toEqual([join(dir, "bin/php-fpm"), "php-fpm"]);
    expect(await run("php-cgi8.2")).toEqual(["php-cgi8.2", "php-cgi"]);
  }));

test("a config is frozen all the way down", () =>
  withTempDir(async (dir) => {
    const { config } = await load(await write(dir, "a.toml", POOL));
    for (const part of [config, config.pools, config.pools[0]!.listen, config.pools[0]!.command]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  }));

describe("without a file", () => {
  const surroundings = { uid: 1000, stateDirDefault: "/tmp/state", cwd: "/srv" };

  test("one pool named www", () => {
    const { config, origins } = configFromCommandLine(
      { listen: "127.0.0.1:9000", workers: 4, command: ["php-cgi", "-d", "x=1"] },
      surroundings,
    );
    expect(config.pools).toHaveLength(1);
    expect(config.pools[0]).toMatchObject({
      name: "www",
      listen: { address: { kind: "inet", host: "127.0.0.1", port: 9000 } },
      command: ["php-cgi", "-d", "x=1"],
      workers: 4,
      place: null,
    });
    expect(config.admin.socket).toBe("/tmp/state/admin.sock");
    expect(config.source).toEqual({
      format: "command-line",
      file: null,
      files: [],
      prefix: "/srv",
    });
    expect(origins.get("pools.www.workers")).toBe("--workers");
  });

  test("all that is wrong at once, named by option", async () => {
    const wrong = async () =>
      configFromCommandLine(
        { listen: "nobody:9000", workers: 0, command: [], drainTimeout: "5" },
        { ...surroundings, uid: 0 },
      );
    const said = await complaint(wrong());
    for (const part of ["--listen:", "--workers:", "--drain-timeout:", "as root", "5 problems"]) {
      expect(said).toContain(part);
    }
  });
});

describe("default places", () => {
  test("state folder", () => {
    expect(defaultStateDir({ XDG_RUNTIME_DIR: "/run/user/0" }, 0)).toBe("/run/fcgivisor");
    expect(defaultStateDir({ XDG_RUNTIME_DIR: "/run/user/7" }, 7)).toBe("/run/user/7/fcgivisor");
    expect(defaultStateDir({}, 7)).toBe("/tmp/fcgivisor-7");
    expect(defaultStateDir({ XDG_RUNTIME_DIR: "relative" }, 7)).toBe("/tmp/fcgivisor-7");
  });

  test("config file: given, then $FCGIVISOR_CONFIG", () => {
    const env = { FCGIVISOR_CONFIG: "/b.toml" };
    expect(configPath({ given: "a.toml", env, calledAsPhpFpm: "/opt/php" })).toBe("a.toml");
    expect(configPath({ given: undefined, env, calledAsPhpFpm: "/opt/php" })).toBe("/b.toml");
  });
});
