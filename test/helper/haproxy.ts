// A real HAProxy in front of several hosts, made of the snippet that `fcgivisor service haproxy` prints.

import { haproxyCommand } from "./packages.ts";
import type { Scene } from "./scene.ts";
import { eventually, LONGEST_MS } from "./wait.ts";
import { Lost } from "./fcgi.ts";

export interface Haproxy {
  /** GET a path; throws `Lost` when no host has answered. */
  readonly get: (path: string) => Promise<{ readonly status: number; readonly body: string }>;
  /** What it thinks of a server: "UP", "DOWN", … */
  readonly state: (server: string) => Promise<string>;
  /** Waits until it thinks so. */
  readonly sees: (server: string, state: "UP" | "DOWN") => Promise<void>;
}

/** `snippet`: the applications and backends, filled in. */
export async function haproxy(scene: Scene, snippet: string, backend: string): Promise<Haproxy> {
  const port = await scene.port();
  const config = configText(snippet, port, backend);
  const file = scene.write("haproxy.cfg", config);
  const child = scene.spawn([...haproxyCommand(), "-f", file, "-db"]);
  const [url, stats] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port}/stats;csv`];
  const state = async (server: string) => {
    const lines = (await (await fetch(stats)).text()).split("\n").map((line) => line.split(","));
    const column = lines[0]!.indexOf("status");
    const line = lines.find(([of, name]) => of === backend && name === server);
    return line?.[column] ?? "unknown";
  };
  await eventually(() => state("host1"), { what: "HAProxy answers" }).catch((error) => {
    throw new Error(`${error}\n${child.stderr()}`);
  });
  return {
    state,
    sees: async (server, wanted) => {
      const is = async () => (await state(server)).startsWith(wanted);
      await eventually(is, { what: `HAProxy sees ${server} ${wanted}` });
    },
    get: async (path) => {
      const signal = AbortSignal.timeout(LONGEST_MS);
      const response = await fetch(url + path, { signal, keepalive: false });
      const body = await response.text();
      if ([502, 503, 504].includes(response.status))
        throw new Lost("reset", `${response.status} from HAProxy`);
      return { status: response.status, body };
    },
  };
}

function configText(snippet: string, port: number, backend: string): string {
  return `global
    # Its log goes nowhere; errors are seen in the answers.
    maxconn 500
defaults
    mode http
    timeout connect 10s
    timeout client 5m
    timeout server 5m
    timeout queue 1m
frontend all
    bind 127.0.0.1:${port}
    stats enable
    stats uri /stats
    default_backend ${backend}
${snippet}`;
}
