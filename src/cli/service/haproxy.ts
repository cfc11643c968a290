// For HAProxy in front of several hosts: a FastCGI application and a backend for each pool. It asks /readyz,
// so that a host that quits with --lame-duck is left alone before it closes a socket.

import type { PoolFacts, ServiceFacts } from "./facts.ts";
import { HOST, plainName, reachedAt, readyPort, unreachableNote } from "./hosts.ts";

const PLACEHOLDER = "/nonexistent/FILL-IN/public";

export function haproxySnippet(facts: ServiceFacts): string {
  const { pools, config } = facts;
  const ready = readyPort(facts);
  const note =
    ready === null
      ? `#
# /readyz is not reachable from other hosts, so only connections are tried. To have it asked:
# [metrics] listen = "0.0.0.0:9253", with token_file (/readyz itself needs no token).
`
      : "";
  return `# A part of /etc/haproxy/haproxy.cfg, beside global, defaults and the frontends (use_backend ${plainName(pools[0]!)})
# Made by \`fcgivisor service haproxy\` for ${config}
# Fill in docroot (where the hosts have the application), and a server line for each host.
${note}
${pools.map((pool) => backend(pool, ready)).join("\n")}`;
}

function backend(pool: PoolFacts, ready: number | null): string {
  const name = plainName(pool);
  const check = ready === null ? "check" : `check port ${ready} check-proto h1`;
  return `${unreachableNote(pool)}fcgi-app ${name}
    log-stderr global
    docroot ${PLACEHOLDER}
${pool.isPhp ? "    index index.php\n    path-info ^(/.+\\.php)(/.*)?$\n" : ""}
backend ${name}
    mode http
    use-fcgi-app ${name}
${
  ready === null
    ? ""
    : "    # 503 while a host quits with --lame-duck: it gets nothing new, and ends what it has.\n    option httpchk GET /readyz\n    http-check expect status 200\n"
}    # A connection that is refused goes to the next host.
    retries 3
    option redispatch 1
    retry-on conn-failure
    default-server inter 1s fastinter 200ms fall 1 rise 2
    server host1 ${reachedAt(pool.address, HOST)} proto fcgi ${check}
`;
}
