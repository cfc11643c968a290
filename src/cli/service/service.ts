// `fcgivisor service KIND`: ready files for init systems, logrotate and nginx, made for the config in
// use. It prints; putting them in their places is for who asked.

import { didYouMean } from "../../config/nearest.ts";
import { loadGivenConfig } from "../config/load-config.ts";
import { printData } from "../print-data.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { usageFault } from "../usage.ts";
import { serviceFacts, type ServiceFacts } from "./facts.ts";

type Template = (facts: ServiceFacts) => string;

const KINDS: Readonly<Record<string, () => Promise<Template>>> = {
  systemd: async () => (await import("./systemd.ts")).systemdUnit,
  "systemd-socket": async () => (await import("./systemd-socket.ts")).socketUnits,
  sysv: async () => (await import("./sysv.ts")).sysvScript,
  openrc: async () => (await import("./openrc.ts")).openrcScript,
  logrotate: async () => (await import("./logrotate.ts")).logrotateSnippet,
  nginx: async () => (await import("./nginx.ts")).nginxSnippet,
  "nginx-upstream": async () => (await import("./nginx-upstream.ts")).nginxUpstream,
  haproxy: async () => (await import("./haproxy.ts")).haproxySnippet,
  docker: async () => (await import("./docker.ts")).dockerfile,
  kubernetes: async () => (await import("./kubernetes.ts")).kubernetesManifest,
};

export default defineCommand({
  name: "service",
  description: `Prints a file for another program, made for the config in use: ${Object.keys(KINDS).join(", ")}.`,
  options: {
    kind: {
      type: "positional",
      description: "which file",
      choices: Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, ""])),
    },
    config: COMMON.config,
    prefix: COMMON.prefix,
    pool: {
      type: "string",
      description: "systemd-socket, nginx, haproxy, kubernetes: this pool only",
    },
  },
  async run({ kind, ...options }) {
    const load = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
    if (load === undefined) {
      throw usageFault(
        `"${kind}" is no kind of service file; there are ${Object.keys(KINDS).join(", ")}${didYouMean(kind, Object.keys(KINDS))}`,
        "service",
      );
    }
    // One that fits some pools would keep from the others what they need.
    if (kind === "systemd" && options.pool !== undefined)
      throw usageFault("the unit is for all pools of the config: leave out --pool", "service");
    const { config } = await loadGivenConfig(options, null);
    const template = await load();
    printData(template(serviceFacts(config, options)));
    return 0;
  },
});
