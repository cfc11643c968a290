// For nginx: an upstream for each pool, and a server to begin with that shows how it is asked. Which folder
// may be published no config of workers says (chdir is where they work, often "/"), so that is left to fill in.

import { type Address, isDualStack } from "../../sys/socket/address.ts";
import type { PoolFacts, ServiceFacts } from "./facts.ts";

export function nginxSnippet({ pools, config }: ServiceFacts): string {
  return `# /etc/nginx/conf.d/fcgivisor.conf, read inside http { }
# Made by \`fcgivisor service nginx\` for ${config}

${pools.map(block).join("\n")}`;
}

function block(pool: PoolFacts): string {
  const upstream = `fcgivisor_${pool.name.replaceAll(/[^A-Za-z0-9_]/g, "_")}`;
  return `upstream ${upstream} {
    # The only server there is: nothing is won by not asking it for a while.
    server ${serverText(pool.address)} max_fails=0;
}

server {
    listen 80;
    server_name ${pool.name}.example.com;
    # Fill in: everybody can fetch what is below it, so name the public folder of the application alone.
    root ${PLACEHOLDER};

    # Neither .git nor .env nor .htpasswd.
    location ~ /\\.(?!well-known/) { return 404; }
${pool.isPhp ? phpLocation(upstream) : anyLocation(upstream)}}
`;
}

const PLACEHOLDER = "/nonexistent/FILL-IN/public";

function phpLocation(upstream: string): string {
  return `
    index index.php;

    # For an application with one front controller:
    # location / { try_files $uri $uri/ /index.php?$query_string; }

    location ~ [^/]\\.php(/|$) {
        fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
        # Only scripts that are there: no upload is ever run.
        if (!-f $document_root$fastcgi_script_name) { return 404; }
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_param PATH_INFO $fastcgi_path_info;
        # See httpoxy.org.
        fastcgi_param HTTP_PROXY "";
        fastcgi_pass ${upstream};
    }
`;
}

function anyLocation(upstream: string): string {
  return `
    location / {
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_param HTTP_PROXY "";
        fastcgi_pass ${upstream};
    }
`;
}

/** Who listens on all addresses is asked on the loopback one. */
function serverText(address: Address): string {
  switch (address.kind) {
    case "unix":
      return quoted(`unix:${address.path}`);
    case "inet":
      return `${address.host === "0.0.0.0" ? "127.0.0.1" : address.host}:${address.port}`;
    case "inet6":
      if (isDualStack(address)) return `127.0.0.1:${address.port}`;
      return `[${address.ipv6Only ? "::1" : address.host}]:${address.port}`;
  }
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_./:-]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}
