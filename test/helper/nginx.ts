// A real nginx in front of a pool, with a folder, a port and a configuration of its own.

import { mkdirSync } from "node:fs";
import { findProgram } from "./packages.ts";
import type { Where } from "./processes.ts";
import { AM_ROOT, type Scene } from "./scene.ts";
import { Lost } from "./fcgi.ts";
import { eventually, LONGEST_MS } from "./wait.ts";

export interface NginxOptions {
  /** Where the pool listens. */
  readonly to: Where;
  /** Folder of the scripts, the document root. */
  readonly root: string;
  /** Further lines for the location. */
  readonly lines?: readonly string[];
  /** Idle connections to the pool that are kept open. */
  readonly keepalive?: number;
}

export interface Nginx {
  /** GET a path; throws `Lost` when nginx could not get an answer from the pool. */
  readonly get: (path: string) => Promise<{ status: number; body: string }>;
  readonly url: string;
  /** Requests that it has and has not answered yet, without the one that asks. */
  readonly inFlight: () => Promise<number>;
  readonly errors: () => string;
}

/** What nginx needs of the test or bench that it runs in. */
export type Place = Pick<Scene, "path" | "port" | "write" | "spawn">;

/** Starts nginx and waits until it answers. */
export async function nginx(scene: Place, options: NginxOptions): Promise<Nginx> {
  const port = await scene.port();
  const prefix = scene.path(`nginx-${port}`);
  mkdirSync(prefix, { recursive: true });
  const config = scene.write(`nginx-${port}/nginx.conf`, configText(prefix, port, options));
  const child = scene.spawn([findProgram("nginx")!, "-p", prefix, "-c", config, "-e", "stderr"]);
  const url = `http://127.0.0.1:${port}`;
  const answering = await eventually(
    async () => (await fetch(`${url}/nginx-is-up`)).status === 204,
    {
      what: "nginx answers",
    },
  ).catch((error) => {
    throw new Error(`${error}\n${child.stderr()}`);
  });
  if (!answering) throw new Error("nginx did not start");
  return {
    url,
    inFlight: async () => {
      const counts = await fetch(`${url}/nginx-counts`, { keepalive: false });
      return Number(/Writing: (\d+)/.exec(await counts.text())![1]) - 1;
    },
    errors: child.stderr,
    get: async (path) => {
      const response = await fetch(url + path, {
        signal: AbortSignal.timeout(LONGEST_MS),
        keepalive: false,
      });
      const body = await response.text();
      if (response.status === 502) throw new Lost("reset", "502 from nginx");
      if (response.status === 504) throw new Lost("timeout", "504 from nginx");
      return { status: response.status, body };
    },
  };
}

function configText(prefix: string, port: number, options: NginxOptions): string {
  const { to } = options;
  const target = "path" in to ? `unix:${to.path}` : `${bracketed(to.host)}:${to.port}`;
  const { keepalive: idle } = options;
  const keepalive = idle === undefined ? "" : `keepalive ${idle}; keepalive_timeout 1h;`;
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `  ${kind}_temp_path ${prefix}/${kind};`,
  );
  return `
${AM_ROOT ? "user www-data;" : ""}
daemon off;
worker_processes 1;
pid ${prefix}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
${temp.join("\n")}
  access_log off;
  # A test may hold a request for as long as it takes.
  fastcgi_connect_timeout 1h;
  fastcgi_send_timeout 1h;
  fastcgi_read_timeout 1h;
  upstream pool { server ${target} max_fails=0; ${keepalive} }
  server {
    listen 127.0.0.1:${port};
    root ${options.root};
    location = /nginx-is-up { return 204; }
    location = /nginx-counts { stub_status; }
    location / {
      fastcgi_pass pool;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SCRIPT_NAME $fastcgi_script_name;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param SERVER_NAME localhost;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param REDIRECT_STATUS 200;
      ${(options.lines ?? []).join("\n      ")}
    }
  }
}
`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
