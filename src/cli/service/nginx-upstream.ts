// For nginx in front of several hosts: the upstreams alone. nginx notices a host that has gone by its answers;
// what a host holds that is quitting gracefully it finishes.

import type { ServiceFacts } from "./facts.ts";
import { plainName, reachedAt, unreachableNote } from "./hosts.ts";

export function nginxUpstream({ pools, config }: ServiceFacts): string {
  const upstreams = pools.map(
    (pool) => `${unreachableNote(pool)}upstream ${plainName(pool)} {
    # A host that refuses or resets a connection is not asked for a second.
    server ${reachedAt(pool.address)} max_fails=1 fail_timeout=1s;
    # And each other host:
    # server OTHER-HOST:${"port" in pool.address ? pool.address.port : "PORT"} max_fails=1 fail_timeout=1s;
}
`,
  );
  return `# /etc/nginx/conf.d/fcgivisor-upstreams.conf, read inside http { }
# Made by \`fcgivisor service nginx-upstream\` for ${config}
#
# In the location that has fastcgi_pass:
#     fastcgi_next_upstream error timeout;   # a host that is gone: the next one is asked
#     fastcgi_connect_timeout 1s;
# A POST that a host has begun is not asked for again: add non_idempotent only where that does no harm.

${upstreams.join("\n")}`;
}
