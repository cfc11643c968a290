// A Dockerfile: the supervisor as the first process of a container, with the config in use.

import { dirname } from "node:path";
import type { ServiceFacts } from "./facts.ts";

export function dockerfile(facts: ServiceFacts): string {
  const { config, pools, words, drainSeconds, stopSeconds } = facts;
  const ports = pools.flatMap(({ address }) => ("port" in address ? [address.port] : []));
  const json = (...command: string[]) => JSON.stringify(command);
  return `# Made by \`fcgivisor service docker\` for ${config}
#   docker build -t FILL-IN . && docker run --stop-timeout ${stopSeconds} FILL-IN
# Copy beside it: the binary (fcgivisor), and the config.

# FILL-IN: an image that has ${programsText(facts)}
FROM debian:bookworm-slim

COPY fcgivisor /usr/local/bin/fcgivisor
COPY ${config.split("/").at(-1)} ${config}
RUN mkdir -p ${dirname(config)} ${facts.stateDir}

# QUIT lets requests finish, for up to ${drainSeconds} s; --stop-timeout (or stop_grace_period) must be longer than that.
STOPSIGNAL SIGQUIT
${ports.length === 0 ? "" : `EXPOSE ${ports.join(" ")}\n`}
# Fails while a pool is down.
HEALTHCHECK --interval=10s --timeout=5s CMD ${json("fcgivisor", "status", "--quiet", ...words)}

# It stays in the foreground, and reaps what others leave. Without a [log] file the log goes to stderr.
ENTRYPOINT ${json("fcgivisor", "run", ...words)}
`;
}

function programsText({ pools }: ServiceFacts): string {
  return [...new Set(pools.map(({ config }) => config.command[0]!))].join(", ");
}
