// `fcgivisor service KIND`: each file is given to the program it is for, which must find nothing wrong.

import { expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { ConfigMap, Service } from "kubernetes-models/v1";
import { rcService } from "../helper/openrc.ts";
import { findProgram, haproxyCommand, UNPACKED } from "../helper/packages.ts";
import { barePool, bodyOf, phpPool, tcpSpot, unixSpot } from "../helper/pool.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

/** A config with something of everything. */
async function configOf(scene: Scene): Promise<string> {
  const [tcp, unix] = [await tcpSpot(scene), unixSpot(scene)];
  return scene.daemonConfig({
    pools: {
      www: phpPool(tcp),
      api: barePool(scene, { where: unix.where, listen: "systemd:api" }),
      other: barePool(scene, unix),
    },
  });
}

async function printed(scene: Scene, ...words: string[]): Promise<string> {
  const outcome = await scene.fcgivisor(["service", ...words]);
  expect([outcome.stderr, outcome.code]).toEqual(["", 0]);
  return outcome.stdout;
}

behaviour(
  "systemd-analyze finds nothing wrong with the units",
  { needs: ["systemd"] },
  async (scene) => {
    const config = await configOf(scene);
    const unit = scene.write(
      "units/fcgivisor.service",
      await printed(scene, "systemd", "-c", config),
    );
    for (const name of ["www", "api", "other"]) {
      const text = await printed(scene, "systemd-socket", "--pool", name, "-c", config);
      scene.write(`units/fcgivisor-${name}.socket`, text);
    }
    const analyze = findProgram("systemd-analyze")!;
    const sockets = ["www", "api", "other"].map((name) =>
      scene.path(`units/fcgivisor-${name}.socket`),
    );
    const outcome = await scene.command([analyze, "verify", "--man=no", unit, ...sockets]);
    const said = outcome.stderr.split("\n").filter((line) => line.includes("fcgivisor"));
    expect([said, outcome.code]).toEqual([[], 0]);
  },
);

behaviour("systemd-analyze does find what is wrong", { needs: ["systemd"] }, async (scene) => {
  const config = await configOf(scene);
  const text = (await printed(scene, "systemd", "-c", config)).replace(
    "KillMode=process",
    "KillMode=proces",
  );
  const unit = scene.write("units/fcgivisor.service", text);
  const outcome = await scene.command([
    findProgram("systemd-analyze")!,
    "verify",
    "--man=no",
    unit,
  ]);
  expect(outcome.stderr).toContain("Failed to parse kill mode");
});

/** As the program prints it that is installed in /usr/local, for what `init` writes there. */
const INSTALLED = `set -e
mount -t tmpfs tmpfs /usr/local
mkdir /usr/local/bin /usr/local/etc
touch /usr/local/bin/fcgivisor
mount --bind "$1" /usr/local/bin/fcgivisor
/usr/local/bin/fcgivisor init /usr/local/etc/fcgivisor.toml >&2
exec /usr/local/bin/fcgivisor service systemd -c /usr/local/etc/fcgivisor.toml`;

/** What `systemd-analyze security` says of a unit: 0 is without any right, 10 with all. */
async function exposure(scene: Scene, text: string): Promise<number> {
  const unit = scene.write("units/exposed.service", text);
  const words = ["security", "--offline=true", "--no-pager", unit];
  const { stdout } = await scene.command([findProgram("systemd-analyze")!, ...words]);
  return Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1] ?? Number.NaN);
}

behaviour(
  "the unit for what init writes exposes no more than 3.0, says systemd",
  { needs: ["root", "systemd", "mounting"] },
  async (scene) => {
    const { stdout } = await scene.command([
      ...["unshare", "--mount", "sh", "-c", INSTALLED, "sh", BINARY],
    ]);
    expect(stdout).toContain("ExecStart=/usr/local/bin/fcgivisor run");
    expect(await exposure(scene, stdout)).toBeLessThanOrEqual(3);
    const bare = stdout.replace(/^# Hardening[^]*(?=\[Install\])/m, "");
    expect(await exposure(scene, bare)).toBeGreaterThan(9);
  },
);

behaviour("the unit says what its config needs, and no more", {}, async (scene) => {
  const config = await configOf(scene);
  const unit = await printed(scene, "systemd", "-c", config);
  expect(unit).toContain(`ExecStart=${BINARY} run -c ${config}\n`);
  expect(unit).toContain("Sockets=fcgivisor-api.socket\n");
  expect(unit).toContain("KillMode=process\n");
  // Its folders are below /tmp here.
  expect(unit).not.toContain("PrivateTmp=yes");
  expect(unit).not.toContain("RuntimeDirectory=");
  const elsewhere = scene.write(
    "run.toml",
    `[supervisor]
state_dir = "/run/fcgivisor"
pid_file = "/usr/local/php/logs/p.pid"
[pools.ab]
listen = "/run/%x.sock"
command = ["x"]
chroot = "/srv"
private_tmp = true
`,
  );
  expect(unit).toContain("RestrictNamespaces=yes\n");
  const other = await printed(scene, "systemd", "-c", elsewhere);
  expect(other).toContain("RuntimeDirectory=fcgivisor\n");
  expect(other).toContain("ReadWritePaths=/usr/local/php/logs\n");
  expect(other).toMatch(/^CapabilityBoundingSet=.* CAP_SYS_CHROOT CAP_SYS_ADMIN$/m);
  expect(other).toContain("RestrictNamespaces=mnt\n");
  expect(other).toMatch(/^SystemCallFilter=.* mount mount_setattr$/m);
  const socket = await printed(scene, "systemd-socket", "-c", elsewhere);
  expect(socket).toContain("ListenStream=/run/%%x.sock\n");
});

behaviour("a right is given by the unit only where a pool needs it", {}, async (scene) => {
  const pool = { ...barePool(scene, unixSpot(scene)), chdir: "/srv", no_new_privs: true };
  const unitFor = async (extra: Record<string, unknown>) => {
    const config = scene.daemonConfig({ pools: { www: { ...pool, ...extra } } });
    return printed(scene, "systemd", "-c", config);
  };
  const rights: readonly [
    line: RegExp,
    extra: Record<string, unknown>,
    lesser: typeof pool | {},
  ][] = [
    [/^Capa.* CAP_NET_BIND_SERVICE\b/m, { listen: "127.0.0.1:80" }, { listen: "127.0.0.1:8000" }],
    [/^Capa.* CAP_SYS_RESOURCE\b/m, { rlimit_files: 65_536 }, { rlimit_files: 1024 }],
    [/^Capa.* CAP_SYS_RESOURCE\b/m, { rlimit_processes: 100 }, { rlimit_core: "unlimited" }],
    [/^Capa.* CAP_SYS_NICE\b/m, { nice: -1 }, { nice: 5 }],
    [/^# No NoNewPrivileges/m, { no_new_privs: false }, {}],
    [/^# No ProtectHome/m, { chdir: "/home/somebody/public" }, {}],
  ];
  for (const [line, extra, lesser] of rights) {
    expect(await unitFor(extra)).toMatch(line);
    expect(await unitFor(lesser)).not.toMatch(line);
  }
  const least = await unitFor({});
  expect(least).toContain("\nNoNewPrivileges=yes\n");
  expect(least).toContain("\nProtectHome=read-only\n");
  expect(least).not.toMatch(/^(Capability|SystemCall).*ptrace|pidfd_getfd$/im);
});

behaviour(
  "shellcheck has nothing to say of the init scripts",
  { needs: ["shellcheck"] },
  async (scene) => {
    const config = await configOf(scene);
    for (const kind of ["sysv", "openrc"]) {
      const script = scene.write(kind, await printed(scene, kind, "-c", config), 0o755);
      const outcome = await scene.command([findProgram("shellcheck")!, script]);
      expect([outcome.stdout, outcome.code]).toEqual(["", 0]);
      expect((await scene.command(["sh", "-n", script])).code).toBe(0);
    }
  },
);

behaviour("the SysV script does what its actions say, with LSB's exit codes", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const config = scene.daemonConfig({ pools: { www: barePool(scene, spot) } });
  const script = scene.write("sysv", await printed(scene, "sysv", "-c", config), 0o755);
  const text = readFileSync(script, "utf8");
  expect(text).toMatch(/^### BEGIN INIT INFO\n(# .*\n)+### END INIT INFO$/m);
  expect(text).toMatch(/^# chkconfig: \d+ \d+ \d+$/m);
  const word = async (name: string) => (await scene.command([script, name])).code;
  expect(await word("status")).toBe(3);
  expect(await word("stop")).toBe(0);
  expect(await word("try-restart")).toBe(0);
  expect(await word("start")).toBe(0);
  expect(await word("start")).toBe(0);
  expect(await bodyOf(spot, {})).toContain("hello");
  for (const name of ["reload", "force-reload", "logrotate", "status", "restart"]) {
    expect([name, await word(name)]).toEqual([name, 0]);
  }
  expect(await bodyOf(spot, {})).toContain("hello");
  expect(await word("nonsense")).toBe(2);
  expect(await word("quit")).toBe(0);
  expect(await word("restart")).toBe(0);
  expect(await word("stop")).toBe(0);
  expect(await word("status")).toBe(3);
});

behaviour(
  "OpenRC runs the script: every action does what it says",
  { needs: ["openrc", "an overlay mount"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const config = scene.daemonConfig({ pools: { www: barePool(scene, spot) } });
    const binary = scene.path("fcgivisor");
    copyFileSync(BINARY, binary);
    const { stdout } = await scene.command([binary, "service", "openrc", "-c", config]);
    const script = scene.write("openrc", stdout);
    const words = ["checkconfig", "status", "start", "status", "reload", "logrotate", "restart"];
    const ends = ["quit", "status", "start", "stop", "status", "describe"];
    const { codes, said } = await rcService(scene, script, [...words, ...ends]);
    expect(codes, said).toEqual([
      ["checkconfig", 0],
      ["status", 3],
      ["start", 0],
      ["status", 0],
      ["reload", 0],
      ["logrotate", 0],
      ["restart", 0],
      ["quit", 0],
      ["status", 3],
      ["start", 0],
      ["stop", 0],
      ["status", 3],
      ["describe", 0],
    ]);
    expect(said).toContain("Requests in flight finish".toLowerCase());
    const log = textOf(scene.path("fcgivisor.log"));
    expect(log).toContain("reload done");
    expect(log.match(/generation 1 of pool www serves/g)).toHaveLength(3);
  },
);

behaviour(
  "insserv finds a place for the SysV script in every runlevel",
  { needs: ["insserv"] },
  async (scene) => {
    const config = await configOf(scene);
    scene.write("etc/init.d/fcgivisor", await printed(scene, "sysv", "-c", config), 0o755);
    for (const level of "0123456S") mkdirSync(scene.path(`etc/rc${level}.d`));
    const places = ["-p", scene.path("etc/init.d"), "-i", scene.path("etc")];
    const insserv = join(UNPACKED, "sbin/insserv");
    const conf = join(UNPACKED, "etc/insserv.conf");
    const outcome = await scene.command([insserv, "-c", conf, ...places, "fcgivisor"]);
    expect([outcome.code, outcome.stdout, outcome.stderr]).toEqual([0, "", ""]);
    const links = [..."0123456"].map((level) => readdirSync(scene.path(`etc/rc${level}.d`)).join());
    const [on, off] = [/^S\d\dfcgivisor$/, /^K\d\dfcgivisor$/];
    for (const [level, link] of links.entries())
      expect(link).toMatch(level >= 2 && level <= 5 ? on : off);
  },
);

behaviour(
  "logrotate takes the snippet, and the program writes on in a new file",
  { needs: ["logrotate"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const log = { file: scene.path("logs/fcgivisor.log") };
    scene.write("logs/keep", "");
    const supervisor = await scene.start({ log, pools: { www: barePool(scene, spot) } });
    const snippet = scene.write(
      "rotate.conf",
      await printed(scene, "logrotate", "-c", supervisor.configFile),
    );
    const logrotate = findProgram("logrotate")!;
    const dry = await scene.command([logrotate, "-d", snippet]);
    expect([/error/i.exec(dry.stderr), dry.code]).toEqual([null, 0]);
    const state = scene.path("rotate.state");
    expect((await scene.command([logrotate, "-f", "-s", state, snippet])).code).toBe(0);
    expect(textOf(log.file)).toContain("reopened");
    expect(existsSync(`${log.file}.1`)).toBe(true);
    expect((await supervisor.control("stop")).code).toBe(0);
    // Nobody runs: nothing to tell, and nothing wrong.
    expect((await scene.command([logrotate, "-f", "-s", state, snippet])).code).toBe(0);
  },
);

/** A configuration of nginx around the snippet, on that port; gives the words that call nginx with it. */
function nginxAround(scene: Scene, snippet: string, port: number): string[] {
  const prefix = scene.path("nginx");
  scene.write(
    "nginx/fcgivisor.conf",
    snippet.replaceAll("listen 80;", `listen 127.0.0.1:${port};`),
  );
  scene.write("nginx/fastcgi_params", readFileSync("/etc/nginx/fastcgi_params", "utf8"));
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${prefix}/${kind};`,
  );
  const main = scene.write(
    "nginx/nginx.conf",
    `user www-data; daemon off; pid ${prefix}/pid; error_log stderr; events {}
http { access_log off; ${temp.join(" ")} include fcgivisor.conf; }`,
  );
  return [findProgram("nginx")!, "-p", prefix, "-c", main, "-e", "stderr"];
}

behaviour("nginx takes the snippet", { needs: ["nginx", "root"] }, async (scene) => {
  const config = await configOf(scene);
  const snippet = await printed(scene, "nginx", "-c", config);
  const outcome = await scene.command([...nginxAround(scene, snippet, await scene.port()), "-t"]);
  expect(outcome.stderr).toContain("test is successful");
  expect(outcome.stderr).not.toMatch(/\[(warn|emerg)\]/);
});

behaviour(
  "the snippet publishes no folder before one is filled in, and no hidden file then",
  { needs: ["nginx", "php-cgi", "root"] },
  async (scene) => {
    const spot = unixSpot(scene);
    scene.write("public/index.php", "<?php echo 'from PHP';");
    scene.write("public/.env", "SECRET=1");
    scene.write("public/plain.txt", "for everybody");
    const pool = phpPool(spot, { user: "www-data", chdir: "/" });
    const owner = { owner: "www-data", group: "www-data" };
    const supervisor = await scene.run({
      pools: { www: { ...pool, listen: { address: spot.listen, ...owner } } },
    });
    const snippet = await printed(scene, "nginx", "-c", supervisor.configFile);
    const [root] = /(?<=root ).*(?=;)/.exec(snippet)!;
    const answers = async (text: string, ...paths: string[]) => {
      const port = await scene.port();
      const server = scene.spawn(nginxAround(scene, text, port));
      const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
      await eventually(() => get("/"), { what: "nginx answers" });
      const found = await Promise.all(
        paths.map(async (path) => {
          const response = await get(path);
          return response.ok ? response.text() : response.status;
        }),
      );
      server.kill("SIGQUIT");
      await server.exited;
      return found;
    };
    expect(await answers(snippet, "/etc/passwd", "/passwd")).toEqual([404, 404]);
    const filled = snippet.replaceAll(root, scene.path("public"));
    expect(await answers(filled, "/plain.txt", "/", "/.env", "/x/.env")).toEqual([
      "for everybody",
      "from PHP",
      404,
      404,
    ]);
  },
);

/** A pool that other hosts reach, and metrics that they may ask. */
async function openConfig(scene: Scene, metrics: Record<string, unknown>): Promise<string> {
  const spot = await tcpSpot(scene, "0.0.0.0");
  return scene.daemonConfig({
    metrics,
    pools: { "www.shop": { ...phpPool(spot), memory_max: "512M", drain_timeout: "20s" } },
  });
}

behaviour("HAProxy takes its snippet", { needs: ["haproxy"] }, async (scene) => {
  const token_file = scene.write("token", "secret", 0o600);
  const listen = `0.0.0.0:${await scene.port()}`;
  for (const config of [
    await openConfig(scene, { listen, token_file }),
    await openConfig(scene, {}),
    await configOf(scene),
  ]) {
    const snippet = await printed(scene, "haproxy", "-c", config);
    const defaults = "defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n";
    const text =
      defaults + snippet.replaceAll(/FILL-IN-HOST/g, "10.0.0.1").replaceAll("FILL-IN-PORT", "9");
    const listener = `frontend all\n  mode http\n  bind 127.0.0.1:${await scene.port()}\n`;
    const file = scene.write("haproxy.cfg", `${text}\n${listener}`);
    const outcome = await scene.command([...haproxyCommand(), "-c", "-f", file]);
    expect([outcome.stdout.trim(), outcome.stderr, outcome.code]).toEqual([
      "Configuration file is valid",
      "",
      0,
    ]);
  }
  const checked = await printed(
    scene,
    "haproxy",
    "-c",
    await openConfig(scene, { listen, token_file }),
  );
  expect(checked).toContain(`check port ${listen.split(":")[1]} check-proto h1`);
  expect(checked).toContain("option httpchk GET /readyz");
  const local = await printed(scene, "haproxy", "-c", await configOf(scene));
  expect(local).toContain("Pool www listens where no other host can connect");
});

behaviour("nginx takes its upstreams for several hosts", { needs: ["nginx"] }, async (scene) => {
  const snippet = await printed(scene, "nginx-upstream", "-c", await openConfig(scene, {}));
  const filled = snippet.replaceAll("FILL-IN-HOST", "127.0.0.1");
  const outcome = await scene.command([...nginxAround(scene, filled, await scene.port()), "-t"]);
  expect(outcome.stderr).toContain("test is successful");
  expect(filled).toContain("upstream fcgivisor_www_shop {");
});

behaviour("the Dockerfile's commands are true of a running supervisor", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  const text = await printed(scene, "docker", "-c", supervisor.configFile);
  const words = (line: RegExp) => JSON.parse(line.exec(text)![1]!) as string[];
  const [, ...health] = words(/^HEALTHCHECK .* CMD (\[.*\])$/m);
  expect(await scene.fcgivisor(health)).toMatchObject({ code: 0, stdout: "", stderr: "" });
  const entry = words(/^ENTRYPOINT (\[.*\])$/m);
  expect(entry).toEqual(["fcgivisor", "run", "-c", supervisor.configFile]);
  expect(text).toContain("STOPSIGNAL SIGQUIT\n");
  expect(await supervisor.control("quit")).toMatchObject({ code: 0 });
  expect(await scene.fcgivisor(health)).toMatchObject({ code: 3 });
});

/** What Kubernetes, and Prometheus' operator, take for each kind. */
const MODELS: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  ConfigMap,
  Deployment,
  Service,
  HorizontalPodAutoscaler,
  ServiceMonitor,
};

function validate(manifest: string): Record<string, any> {
  const documents = manifest
    .split(/^---$/m)
    .slice(1)
    .map((text) => Bun.YAML.parse(text) as { readonly kind: string });
  for (const document of documents) new MODELS[document.kind]!(document as never).validate();
  return Object.fromEntries(documents.map((document) => [document.kind, document]));
}

behaviour("the manifest for Kubernetes is as its API wants it", {}, async (scene) => {
  const listen = `0.0.0.0:${await scene.port()}`;
  const token_file = scene.write("token", "secret", 0o600);
  const config = await openConfig(scene, { listen, token_file });
  const text = await printed(scene, "kubernetes", "-c", config);
  const { Deployment, ConfigMap, ServiceMonitor } = validate(text);
  const pod = Deployment.spec.template.spec;
  const [own, nginx] = pod.containers;
  const port = Number(listen.split(":")[1]);
  expect(own.readinessProbe.httpGet).toEqual({ path: "/readyz", port });
  expect(own.livenessProbe.httpGet).toEqual({ path: "/healthz", port });
  expect(own.lifecycle.preStop.exec.command).toEqual([
    ...["fcgivisor", "quit", "--lame-duck", "5s", "-c", config],
  ]);
  // 5 s to be left alone, 20 s of drain_timeout, and a margin.
  expect(pod.terminationGracePeriodSeconds).toBe(40);
  expect(own.securityContext.capabilities.drop).toEqual(["ALL"]);
  expect(own.resources.limits.memory).toBe(String(512 * 1024 * 1024));
  expect(nginx.securityContext.readOnlyRootFilesystem).toBe(true);
  expect(ConfigMap.data["fcgivisor.toml"]).toBe(readFileSync(config, "utf8"));
  expect(ServiceMonitor.spec.endpoints[0].port).toBe("metrics");
  expect(text).toMatch(/app.kubernetes.io\/name: "?fcgivisor-www-shop/);
  // Where /readyz cannot be reached, the program itself is asked.
  const plain = validate(await printed(scene, "kubernetes", "-c", await openConfig(scene, {})));
  expect(Object.keys(plain)).not.toContain("ServiceMonitor");
  const probe = plain["Deployment"].spec.template.spec.containers[0].readinessProbe;
  expect(probe.exec.command.slice(0, 3)).toEqual(["fcgivisor", "status", "--quiet"]);
});

test("what Kubernetes would refuse is noticed", () => {
  const broken = `---\napiVersion: v1\nkind: Service\nmetadata:\n  name: x\nspec:\n  ports: many\n`;
  expect(() => validate(broken)).toThrow("spec/ports must be array");
});

behaviour("an unknown kind or pool is said, with those there are", {}, async (scene) => {
  const config = await configOf(scene);
  const kind = await scene.fcgivisor(["service", "upstart", "-c", config]);
  expect([kind.code, kind.stdout]).toEqual([2, ""]);
  expect(kind.stderr).toContain("systemd, systemd-socket, sysv, openrc, logrotate, nginx");
  const part = await scene.fcgivisor(["service", "systemd", "--pool", "www", "-c", config]);
  expect([part.code, part.stdout]).toEqual([2, ""]);
  expect(part.stderr).toContain("the unit is for all pools");
  const pool = await scene.fcgivisor(["service", "nginx", "--pool", "nobody", "-c", config]);
  expect(pool.code).toBe(1);
  expect(pool.stderr).toContain("pools are www, api and other");
});
